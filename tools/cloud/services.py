# SPDX-License-Identifier: Apache-2.0
"""The daemons of a cloud that are OpenStack's, and this project's."""

import os
import pathlib
import sys

import yaml

from cloud import hypervisor, infrastructure, templates, users
from cloud.daemons import Daemon

_TOOLS = pathlib.Path(__file__).parents[1]
#: Where the modules that are run are found.
_PATH = {"PYTHONPATH": f"{_TOOLS}:{_TOOLS.parent}"}
#: The applications of two APIs, with stand-ins: in a small cloud, and where
#: there are no neighbours.
_KEYSTONE = {False: "keystone.wsgi.api", True: "cloud.keystone"}
_NEUTRON = {True: "neutron.wsgi.api", False: "tests.benchmarks.nova_network"}
_DAEMONS = yaml.safe_load((templates.FOLDER / "daemons.yaml").read_text())


def named(facts, name):
    """Return a daemon by its name, as templates/daemons.yaml has it.

    The name of a daemon of one compute ends with the compute's.
    """
    place = facts.place
    if name in ("epmd", "rabbitmq"):
        return infrastructure.broker(place, facts.ports, facts.password)[name]
    own = [each for each in facts.machines if name.endswith(f"-{each.name}")]
    machine = own[0].name if own else ""
    key = name.replace(machine, "{machine}") if own else name
    values = {
        "bin": pathlib.Path(sys.executable).parent,
        "cell1": facts.database("nova_cell1"),
        "checkout": _TOOLS.parent,
        "facts": facts,
        "group": os.getgid(),
        "horizon": facts.horizon or sys.executable,
        "keystone": facts.url("keystone"),
        "keystone_api": _KEYSTONE[facts.small],
        "logs": place.logs,
        "machine": machine,
        "name": name,
        "neutron_api": _NEUTRON[facts.neighbours],
        "prefix": sys.prefix,
        "python": sys.executable,
        "region": users.REGION,
        "root": place.root,
        "user": os.getuid(),
    }
    command = [word.format(**values) for word in _DAEMONS["commands"][key]]
    environment = {
        variable: text.format(**values)
        for variable, text in _DAEMONS["environments"].get(key, {}).items()
    }
    daemon = Daemon(name, tuple(command), _PATH | environment)
    if set(own) & set(facts.hypervisors) and key != "reporter-{machine}":
        return hypervisor.inside(facts, own[0], daemon)
    return daemon


def api(facts, service):
    """Return the daemon of an API, ``plain-nova`` among them."""
    return named(facts, f"{service}-api")


def faults_file(facts, service):
    return facts.place.root / f"faults-{service}.json"


def credential(facts, machine, program="reporter"):
    """Return the file that ``openstack vhard host enroll`` makes."""
    folder = facts.place.home("credentials") / machine.name
    return folder / f"{program}-placement.conf"


def reporter_file(facts, machine):
    return facts.place.home(machine.name) / "reporter.conf"
