# SPDX-License-Identifier: Apache-2.0
"""A small cloud, which needs neither root nor packages of a distribution.

Nova is one process; Keystone, libvirt, Neutron and Cinder are stand-ins; the
databases are SQLite's. It ends with who has started it.
"""

import contextlib
import os

from cloud import config, place
from cloud.cloud import Cloud


class SmallCloud(Cloud):
    """A small cloud in a directory."""

    attached = True
    last = ()

    def start_all(self):
        self._say("Keystone, Glance's database")
        config.write(self.facts)
        self._start("keystone-api", "setup-glance")
        self.listening("keystone")
        self._say("Nova, Placement")
        self.start("placement-api")
        self._start("nova")
        self.ended("setup-glance")
        self._say("Glance")
        self._start("glance-api")
        self.listening("glance", "plain-nova", "nova")
        self._say("done")


@contextlib.contextmanager
def running(root, gates, say):
    """Run a small cloud with a policy that is switched off, until the end.

    :param root: directory for its files, which is emptied
    :param gates: whether this project's gates are configured
    """
    stored = place.Place(root)
    stored.take()
    # Everything is on loopback.
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        os.environ.pop(name, None)
        os.environ.pop(name.upper(), None)
    cloud = SmallCloud(stored, say)
    cloud.up(gates=gates, small=True)
    try:
        yield cloud
    finally:
        cloud.down()
