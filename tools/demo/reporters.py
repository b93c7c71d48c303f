# SPDX-License-Identifier: Apache-2.0
"""The reporters of the computes, the sweep, and the hosts that they read."""

import contextlib
import datetime
import shutil
import time

from oslo_config import cfg

from common import captures, commands
from demo import config, machines
from nova_vhard.conf import placement as placement_conf
from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.host import report
from nova_vhard.node.reporter import hosts
from nova_vhard.node.reporter.publishers.placement import PlacementPublisher

_COMMAND = "nova-vhard-reporter"
#: Seconds after which nova-scheduler has seen a change, for sure: the
#: demo's posture_ttl and its jitter.
_SEEN = 1.2

_FILE = """\
[DEFAULT]
log_file = {log}
[vhard_reporter]
root = {root}
{name}
[placement]
{auth}
"""


class Reporters:
    """One reporter a compute, each with a configuration file of its own.

    :param place: common.place.Place
    :param keystone: address of the identity service
    """

    def __init__(self, place, keystone):
        self._place = place
        self._auth = config.auth(keystone)
        self._home = place.home("reporter")
        self._home.mkdir()
        for machine in machines.MACHINES:
            if machine.tree:
                self.install(machine, machine.tree)
            self._configure(machine)

    def _configure(self, machine):
        # A captured tree has nova-compute's identity file; the machine that
        # the demo runs on may be somebody else's compute node.
        text = _FILE.format(
            log=self._place.logs / f"reporter-{machine.name}.log",
            root=self._root(machine) if machine.tree else "/",
            name="" if machine.tree else f"provider_name = {machine.name}",
            auth=self._auth,
        )
        self._file(machine).write_text(text)

    def install(self, machine, tree):
        """Make a captured tree a machine's file system from now on."""
        root = self._root(machine)
        if root.exists():
            shutil.rmtree(root)
        captures.unpack(tree, root, machine.node)

    def report(self, *reporting):
        """Run ``nova-vhard-reporter run --once`` for machines, all at once.

        :returns: the machines for which it was not successful
        """
        with _seen():
            answers = commands.at_once(self._once, reporting)
        return [
            machine.name
            for machine, answer in zip(reporting, answers, strict=True)
            if not answer.success
        ]

    def report_of_long_ago(self, machine, hours):
        """Leave the traits of a reporter that last ran hours ago."""
        conf = cfg.ConfigOpts()
        reporter_conf.register(conf)
        placement_conf.register(conf)
        conf([], default_config_files=[str(self._file(machine))])
        then = datetime.datetime.now(datetime.UTC)
        then -= datetime.timedelta(hours=hours)
        old = report.inspect(hosts.of_conf(conf), then, report.load())
        PlacementPublisher(conf).publish(old)

    def sweep(self):
        """Run ``nova-vhard-reporter sweep``.

        :returns: Answer
        """
        with _seen():
            return self._run(machines.PROVEN, "sweep")

    def _once(self, machine):
        return self._run(machine, "run", "--once")

    def _run(self, machine, *words):
        return commands.run(
            _COMMAND,
            "--config-file",
            str(self._file(machine)),
            *words,
            environment=commands.environment(),
        )

    def _file(self, machine):
        return self._home / f"{machine.name}.conf"

    def _root(self, machine):
        return self._place.home("hosts") / machine.name


@contextlib.contextmanager
def _seen():
    """Stay until nova-scheduler has seen what is changed in the meantime."""
    until = time.monotonic() + _SEEN
    yield
    time.sleep(max(0, until - time.monotonic()))
