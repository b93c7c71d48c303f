# SPDX-License-Identifier: Apache-2.0
"""How the demo's services are started, for whatever is played on them."""

import contextlib
import os

from common import place
from demo import cloud, policies


@contextlib.contextmanager
def running(root, gates, say):
    """Give a cloud with a policy that is switched off, until the end.

    :param root: directory for its files, which is emptied
    :param gates: whether this project's gates are configured
    :param say: called with (service, what it does) while the cloud starts
    :raises place.InUse: if another process uses the directory
    :raises processes.Failed: if a service does not start
    """
    stored = place.Place(root)
    stored.take()
    _no_proxy()
    policies.write(stored.policy, policies.OFF)
    with cloud.Cloud(stored, gates, say) as one:
        yield one


def _no_proxy():
    # Everything is on loopback.
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        os.environ.pop(name, None)
        os.environ.pop(name.upper(), None)
