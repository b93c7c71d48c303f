# SPDX-License-Identifier: Apache-2.0
"""A reporter in a process of its own that dies in the middle of a publish.

Forked off a server that has imported all of this already: see test_killed.
"""

import os
import signal
import sys

from keystoneauth1 import loading
from oslo_config import cfg

from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.placement.client import Placement
from nova_vhard.placement.connect import connect
from nova_vhard.reporter.publishers.json_file import JsonPublisher
from nova_vhard.reporter.publishers.placement import PlacementPublisher

BEFORE, AFTER = "before", "after"

# To look for plugins takes longer than all else that a process does here:
# done by the server, it is done for all that are forked off it.
loading.get_plugin_loader("admin_token")


def configured(path):
    """Return a reporter's configuration.

    :param path: of its file
    """
    conf = cfg.ConfigOpts()
    reporter_conf.register(conf)
    conf([], default_config_files=[str(path)])
    return conf


def _die():
    """As by kill -9, the kernel that is out of memory, or the power."""
    os.kill(os.getpid(), signal.SIGKILL)


class Dying:
    """A client of Placement that dies at one request.

    :param client: the real one
    :param step: number of the request, from 0
    :param when: before it is sent, or after it is answered
    """

    def __init__(self, client, step, when):
        self._client = client
        self._step = step
        self._when = when
        self._count = 0

    def __getattr__(self, method):
        def send(*arguments, **more):
            here = self._count == self._step
            self._count += 1
            if here and self._when == BEFORE:
                _die()
            answer = getattr(self._client, method)(*arguments, **more)
            if here:
                _die()
            return answer

        return send


def publish(path, report, step, when):
    """Report to Placement; die at a request if there are as many."""
    conf = configured(path)
    client = Dying(connect(conf)._client, step, when)
    PlacementPublisher(conf, Placement(client)).publish(report)


def write(path, report, step):
    """Report to a file; die when the n-th thing is done in its folder."""
    conf = configured(path)
    folder = conf.vhard_reporter.state_path
    left = [step]

    def audit(event, arguments):
        if any(folder in str(each) for each in arguments):
            if left[0] == 0:
                _die()
            left[0] -= 1

    sys.addaudithook(audit)
    JsonPublisher(conf).publish(report)
