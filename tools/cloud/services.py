# SPDX-License-Identifier: Apache-2.0
"""The daemons of a cloud that are OpenStack's, and this project's."""

import pathlib
import sys

from cloud.daemons import Daemon

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


def setup_keystone(facts):
    """Return the one-time work on Keystone, as a daemon that ends."""
    return _module(
        "setup-keystone",
        "cloud.setup_keystone",
        facts.place.home("keystone") / "keystone.conf",
        facts.url("keystone"),
        facts.password,
    )


def setup_nova(facts):
    """Return the one-time work on Nova, as a daemon that ends."""
    return _module(
        "setup-nova",
        "cloud.setup_nova",
        facts.place.home("nova"),
        facts.database("nova_cell1"),
        facts.transport,
    )


def setup_glance(facts):
    """Return the one-time work on Glance, as a daemon that ends."""
    file = facts.place.home("glance") / "glance-api.conf"
    return _command("setup-glance", "glance-manage", file, "db", "sync")


def api(facts, service):
    """Return the daemon of an API.

    :param service: a name of ``_APPLICATIONS``
    """
    place = facts.place
    homes = {
        f"OS_{name.upper()}_CONFIG_DIR": str(place.home(name))
        for name in ("keystone", "placement", "glance", "nova")
    }
    # The first one is taken for the paste file; the last one names a log.
    paste = f"{service.removesuffix('nova')}api-paste.ini"
    files = {"OS_NOVA_CONFIG_FILES": f"{paste};{_NOVA};api.conf"}
    small = facts.small and service == "keystone"
    return _module(
        f"{service}-api",
        "cloud.api",
        "cloud.keystone" if small else _APPLICATIONS[service],
        facts.ports[service],
        faults_file(facts, service),
        **homes,
        **files,
    )


def faults_file(facts, service):
    """Return the file in which an API's faults are named (cloud.faults)."""
    return facts.place.root / f"faults-{service}.json"


def one_process(facts):
    """Return the daemon that is all of Nova, and Placement."""
    native = {"OS_NOVA_DISABLE_EVENTLET_PATCHING": "1"}
    return _module("nova", "cloud.one_process", facts.root, **native)


def controls(facts):
    """Return the daemons of nova-conductor and nova-scheduler."""
    home, logs = facts.place.home("nova"), facts.place.logs
    databases = f"--config-file={home / 'databases.conf'}"
    log = "--log-file={}/{}.log".format
    return tuple(
        _command(name, name, home / "nova.conf", databases, log(logs, name))
        for name in ("nova-conductor", "nova-scheduler")
    )


def eventlet_scheduler(facts):
    """Return a nova-scheduler on green threads, in place of the other."""
    _, other = controls(facts)
    name = f"{other.name}-eventlet"
    log = f"--log-file={facts.place.logs / name}.log"
    # Where it is not set Nova 33 and later take native threads.
    green = {"OS_NOVA_DISABLE_EVENTLET_PATCHING": "false"}
    command = (*other.command[:-1], log)
    return Daemon(name, command, {**other.environment, **green})


def compute(facts, machine):
    """Return the daemon of a nova-compute."""
    place = facts.place
    return _module(
        f"nova-compute-{machine.name}",
        "cloud.compute",
        f"--config-file={place.home('nova') / 'nova.conf'}",
        f"--config-file={place.home(machine.name) / 'nova-compute.conf'}",
    )


def reporter(facts, machine):
    """Return the daemon of a machine's reporter."""
    file = reporter_file(facts, machine)
    name = f"reporter-{machine.name}"
    return _command(name, "nova-vhard-reporter", file, "run")


def reporter_file(facts, machine):
    """Return the configuration file of a machine's reporter."""
    return facts.place.home(machine.name) / "reporter.conf"


def named(facts, name):
    """Return the daemon of a name, to start it again."""
    everything = (
        *(api(facts, service) for service in _APPLICATIONS),
        *controls(facts),
        eventlet_scheduler(facts),
        *(compute(facts, machine) for machine in facts.machines),
        *(reporter(facts, machine) for machine in facts.machines),
    )
    return {daemon.name: daemon for daemon in everything}[name]


def _module(name, module, *arguments, **environment):
    command = (sys.executable, "-m", module, *map(str, arguments))
    return Daemon(name, command, {**_PATH, **environment})


def _command(name, program, file, *arguments):
    command = (str(_BIN / program), f"--config-file={file}", *arguments)
    return Daemon(name, command, _PATH)
