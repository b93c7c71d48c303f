# SPDX-License-Identifier: Apache-2.0
"""The reporters of a small cloud's computes, and the sweep."""

import datetime
import time

from oslo_config import cfg

from cloud import captures, commands, machines, services
from nova_vhard.conf import placement as placement_conf
from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.host import report as host_report
from nova_vhard.reporter import hosts
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from story import telling

#: Seconds after which nova-scheduler has seen a change, for sure: the
#: cloud's posture_ttl, its jitter, and what asking takes.
_SEEN = 2


def install(facts, machine, tree):
    """Make a captured tree a machine's file system from now on."""
    root = facts.place.home("hosts") / machine.name
    captures.unpack(tree, root, machine.node)


def report(facts, *reporting):
    """Run ``nova-vhard-reporter run --once`` for machines."""
    for machine in reporting:
        answer = _run(facts, machine, "run", "--once")
        telling.output(answer, f"{machine.name}: ")
    time.sleep(_SEEN)


def report_of_long_ago(facts, machine, hours):
    """Leave the traits of a reporter that last ran hours ago."""
    conf = cfg.ConfigOpts()
    reporter_conf.register(conf)
    placement_conf.register(conf)
    file = services.reporter_file(facts, machine)
    conf([], default_config_files=[str(file)])
    then = datetime.datetime.now(datetime.UTC)
    then -= datetime.timedelta(hours=hours)
    old = host_report.inspect(hosts.of_conf(conf), then, host_report.load())
    PlacementPublisher(conf).publish(old)


def sweep(facts):
    answer = _run(facts, machines.PROVEN, "sweep")
    time.sleep(_SEEN)
    return telling.line(answer.text)


def _run(facts, machine, *words):
    return commands.run(
        "nova-vhard-reporter",
        f"--config-file={services.reporter_file(facts, machine)}",
        *words,
        environment=commands.environment(),
    )
