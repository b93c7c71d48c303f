# SPDX-License-Identifier: Apache-2.0
"""The daemons of the cloud that are OpenStack's, and this project's."""

import pathlib
import sys

from cloud.daemons import Daemon
from cloud.machines import MACHINES

_TOOLS = pathlib.Path(__file__).parents[1]
_BIN = pathlib.Path(sys.executable).parent
#: Where the modules that are run are found.
_PATH = {"PYTHONPATH": f"{_TOOLS}:{_TOOLS.parent}"}
_NOVA = "nova.conf;databases.conf"
_APPLICATIONS = {
    "keystone": "keystone.wsgi.api",
    "placement": "placement.wsgi.api",
    "glance": "glance.wsgi.api",
    "nova": "nova.wsgi.osapi_compute",
    "network": "tests.benchmarks.nova_network",
    # Started by whoever wants it: Nova as it ships, on the same databases.
    "plain-nova": "nova.wsgi.osapi_compute",
}


def setups(facts):
    """Give the one-time work on the databases, as daemons that end."""
    place = facts.place
    keystone = place.home("keystone") / "keystone.conf"
    glance = place.home("glance") / "glance-api.conf"
    return (
        _module(
            "setup-keystone",
            "cloud.setup_keystone",
            keystone,
            facts.url("keystone"),
            facts.password,
        ),
        _module(
            "setup-nova",
            "cloud.setup_nova",
            place.home("nova"),
            facts.database("nova_cell1"),
            facts.transport,
        ),
        _command("setup-glance", "glance-manage", glance, "db", "sync"),
    )


def api(facts, service):
    """Give the daemon of an API.

    :param service: a name of ``_APPLICATIONS``
    """
    place = facts.place
    homes = {
        f"OS_{one.upper()}_CONFIG_DIR": str(place.home(one))
        for one in ("keystone", "placement", "glance", "nova")
    }
    # The first one is taken for the paste file; the last one names a log.
    paste = f"{service.removesuffix('nova')}api-paste.ini"
    files = {"OS_NOVA_CONFIG_FILES": f"{paste};{_NOVA};api.conf"}
    return _module(
        f"{service}-api",
        "cloud.api",
        _APPLICATIONS[service],
        facts.ports[service],
        faults_file(facts, service),
        **homes,
        **files,
    )


def faults_file(facts, service):
    """Give the file in which an API's faults are named; see cloud.faults."""
    return facts.place.root / f"faults-{service}.json"


def controls(facts):
    """Give the daemons of nova-conductor and nova-scheduler."""
    home, logs = facts.place.home("nova"), facts.place.logs
    databases = f"--config-file={home / 'databases.conf'}"
    log = "--log-file={}/{}.log".format
    return tuple(
        _command(name, name, home / "nova.conf", databases, log(logs, name))
        for name in ("nova-conductor", "nova-scheduler")
    )


def eventlet_scheduler(facts):
    """Give a nova-scheduler on green threads, in place of the other."""
    (other,) = [one for one in controls(facts) if "sched" in one.name]
    name = f"{other.name}-eventlet"
    log = f"--log-file={facts.place.logs / name}.log"
    # Where it is not set Nova 33 and later take native threads.
    green = {"OS_NOVA_DISABLE_EVENTLET_PATCHING": "false"}
    command = (*other.command[:-1], log)
    return Daemon(name, command, {**other.environment, **green})


def compute(facts, machine):
    """Give the daemon of a nova-compute."""
    place = facts.place
    return _module(
        f"nova-compute-{machine.name}",
        "cloud.compute",
        f"--config-file={place.home('nova') / 'nova.conf'}",
        f"--config-file={place.home(machine.name) / 'nova-compute.conf'}",
    )


def reporter(facts, machine):
    """Give the daemon of a machine's reporter."""
    file = facts.place.home(machine.name) / "reporter.conf"
    name = f"reporter-{machine.name}"
    return _command(name, "nova-vhard-reporter", file, "run")


def named(facts, name):
    """Give the daemon of a name, to start it again."""
    everything = (
        *(api(facts, one) for one in _APPLICATIONS),
        *controls(facts),
        eventlet_scheduler(facts),
        *(compute(facts, one) for one in MACHINES),
        *(reporter(facts, one) for one in MACHINES),
    )
    return {one.name: one for one in everything}[name]


def _module(name, module, *arguments, **environment):
    command = (sys.executable, "-m", module, *map(str, arguments))
    return Daemon(name, command, {**_PATH, **environment})


def _command(name, program, file, *arguments):
    command = (str(_BIN / program), f"--config-file={file}", *arguments)
    return Daemon(name, command, _PATH)
