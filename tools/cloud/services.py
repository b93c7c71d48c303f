# SPDX-License-Identifier: Apache-2.0
"""The daemons of a cloud that are OpenStack's, and this project's."""

import os
import pathlib
import sys

from cloud import hypervisor, infrastructure, users
from cloud.daemons import Daemon

_TOOLS = pathlib.Path(__file__).parents[1]
_BIN = pathlib.Path(sys.executable).parent
#: Where the modules that are run are found.
_PATH = {"PYTHONPATH": f"{_TOOLS}:{_TOOLS.parent}"}
_APPLICATIONS = {
    "keystone": "keystone.wsgi.api",
    "placement": "placement.wsgi.api",
    "glance": "glance.wsgi.api",
    "nova": "nova.wsgi.osapi_compute",
    "neutron": "neutron.wsgi.api",
    "cinder": "cinder.wsgi.api",
    # Started on demand: unmodified Nova on the same databases.
    "plain-nova": "nova.wsgi.osapi_compute",
}


def setups(facts):
    """Return the one-time work on the databases, as daemons that end."""
    home = facts.place.home
    if not facts.small:
        yield _setup_keystone(facts)
        yield _module(
            "setup-nova",
            "cloud.setup_nova",
            home("nova"),
            facts.database("nova_cell1"),
            facts.transport,
        )
    file = home("glance") / "glance-api.conf"
    yield _command("setup-glance", "glance-manage", file, "db", "sync")
    if facts.neighbours:
        file, words = home("neutron") / "neutron.conf", ("upgrade", "heads")
        yield _command("setup-neutron", "neutron-db-manage", file, *words)
        file, words = home("cinder") / "cinder.conf", ("db", "sync")
        yield _command("setup-cinder", "cinder-manage", file, *words)


def _setup_keystone(facts):
    file = facts.place.home("keystone") / "keystone.conf"
    manage = f"{_BIN / 'keystone-manage'} --config-file={file}"
    owner = f"--keystone-user={os.getuid()} --keystone-group={os.getgid()}"
    url = facts.url("keystone") + "/v3"
    calls = (
        "db_sync",
        *(f"{kind}_setup {owner}" for kind in ("fernet", "receipt")),
        f"credential_setup {owner}",
        f"bootstrap --bootstrap-password={facts.password} "
        f"--bootstrap-region-id={users.REGION} "
        f"--bootstrap-public-url={url} --bootstrap-internal-url={url}",
    )
    script = " && ".join(f"{manage} {call}" for call in calls)
    return Daemon("setup-keystone", ("/bin/sh", "-c", script), _PATH)


def metadefs(facts):
    """Give the loading of Glance's metadata definitions, which then ends."""
    file = facts.place.home("glance") / "glance-api.conf"
    shipped = pathlib.Path(sys.prefix) / "etc" / "glance" / "metadefs"
    words = ("db", "load_metadefs", str(shipped))
    return _command("setup-metadefs", "glance-manage", file, *words)


def dashboard(facts):
    """Give the daemon of Horizon with this project's plugin."""
    daemon = _module(
        "dashboard",
        "cloud.dashboard",
        facts.ports["dashboard"],
        facts.url("keystone"),
        facts.place.home("dashboard"),
        _TOOLS.parent / "nova_vhard_dashboard" / "enabled",
    )
    python = facts.horizon or daemon.command[0]
    command = (python, *daemon.command[1:])
    return Daemon(daemon.name, command, daemon.environment)


def api(facts, service):
    """Return the daemon of an API, by its name in ``_APPLICATIONS``."""
    place = facts.place
    homes = {
        f"OS_{name.upper()}_CONFIG_DIR": str(place.home(name))
        for name in ("keystone", "placement", "glance", "nova", "neutron")
    }
    # The first one is taken for the paste file; the last one names a log.
    files = f"{paste_file(service)};nova.conf;databases.conf;api.conf"
    application = _APPLICATIONS[service]
    if facts.small and service == "keystone":
        application = "cloud.keystone"
    if service == "neutron" and not facts.neighbours:
        application = "tests.benchmarks.nova_network"
    # Cinder knows no directory of such a name.
    own = (f"--config-file={place.home('cinder') / 'cinder.conf'}",)
    return _module(
        f"{service}-api",
        "cloud.api",
        application,
        facts.ports[service],
        faults_file(facts, service),
        *own[: service == "cinder"],
        OS_NOVA_CONFIG_FILES=files,
        OS_NEUTRON_CONFIG_FILES="neutron.conf",
        **homes,
    )


def paste_file(service):
    return f"{service.removesuffix('nova')}api-paste.ini"


def faults_file(facts, service):
    return facts.place.root / f"faults-{service}.json"


def one_process(facts):
    native = {"OS_NOVA_DISABLE_EVENTLET_PATCHING": "1"}
    return _module("nova", "cloud.one_process", facts.root, **native)


def controls(facts):
    home, logs = facts.place.home("nova"), facts.place.logs
    databases = f"--config-file={home / 'databases.conf'}"
    log = "--log-file={}/{}.log".format
    return tuple(
        _command(name, name, home / "nova.conf", databases, log(logs, name))
        for name in ("nova-conductor", "nova-scheduler")
    )


def storage(facts):
    """Return Cinder's daemons, but for its API."""
    file, logs = facts.place.home("cinder") / "cinder.conf", facts.place.logs
    return tuple(
        _command(name, name, file, f"--log-file={logs / name}.log")
        for name in ("cinder-scheduler", "cinder-volume")
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
    files = [
        facts.place.home("nova") / "nova.conf",
        facts.place.home(machine.name) / "nova-compute.conf",
    ]
    daemon = _module(
        f"nova-compute-{machine.name}",
        "cloud.compute",
        *(f"--config-file={file}" for file in files),
    )
    if machine not in facts.hypervisors:
        return daemon
    return hypervisor.inside(facts, machine, daemon)


def host(facts, machine):
    """Return the host of a compute with a real libvirt."""
    command = hypervisor.boot(facts, machine)
    return Daemon(f"host-{machine.name}", command)


def guard(facts, machine, verb="run"):
    """Return the guard of such a host, or one of its other commands."""
    file = facts.place.home(machine.name) / "guard.conf"
    name = "guard" if verb == "run" else f"setup-{verb}"
    daemon = _command(f"{name}-{machine.name}", "nova-vhard-guard", file, verb)
    return hypervisor.inside(facts, machine, daemon)


def reporter(facts, machine):
    file = reporter_file(facts, machine)
    name = f"reporter-{machine.name}"
    own = (f"--config-file={credential(facts, machine)}",)
    # The stand-in for Keystone knows passwords only.
    words = ("run",) if facts.small else (*own, "run")
    return _command(name, "nova-vhard-reporter", file, *words)


def exporter(facts):
    file = facts.place.home("exporter") / "exporter.conf"
    return _command("exporter", "nova-vhard-exporter", file)


def credential(facts, machine, program="reporter"):
    """Return the file that ``openstack vhard host enroll`` makes."""
    folder = credentials(facts) / machine.name
    return folder / f"{program}-placement.conf"


def credentials(facts):
    """Return the folder in which a host is enrolled."""
    return facts.place.home("credentials")


def reporter_file(facts, machine):
    return facts.place.home(machine.name) / "reporter.conf"


def named(facts, name):
    everything = (
        *(api(facts, service) for service in _APPLICATIONS),
        *controls(facts),
        *storage(facts),
        eventlet_scheduler(facts),
        *(compute(facts, machine) for machine in facts.machines),
        *(reporter(facts, machine) for machine in facts.machines),
        *(guard(facts, machine) for machine in facts.hypervisors),
        *infrastructure.broker(facts.place, facts.ports, facts.password),
        exporter(facts),
    )
    return {daemon.name: daemon for daemon in everything}[name]


def _module(name, module, *arguments, **environment):
    command = (sys.executable, "-m", module, *map(str, arguments))
    return Daemon(name, command, {**_PATH, **environment})


def _command(name, program, file, *arguments):
    command = (str(_BIN / program), f"--config-file={file}", *arguments)
    return Daemon(name, command, _PATH)
