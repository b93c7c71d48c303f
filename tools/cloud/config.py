# SPDX-License-Identifier: Apache-2.0
"""The configuration files of a cloud's services, written to disk."""

import json
import pathlib
import secrets
import shlex
import sys

import yaml

from cloud import captures, hypervisor, machines, templates, users
from nova_vhard.common import paste_file

#: Seconds; the default of the reporter's.
_SELDOM = 300

_AUTH = """\
auth_type = password
auth_url = {keystone}/v3
username = service
password = {password}
project_name = service
user_domain_id = default
project_domain_id = default
region_name = {region}
"""
#: The roles of reporters and cleaners.
_PLACEMENT_POLICY = (
    pathlib.Path(__file__).parents[2]
    / "etc"
    / "nova-vhard"
    / "placement-policy.yaml"
)
_DATABASE = """\
connection = {}
# Nothing waits for the disk: the data are for one run.
sqlite_synchronous = false"""
#: The lines that doc/source/install tells an operator to add to nova.conf, the
#: stock filters after ours.
_OUR_FILTERS = """\
available_filters = nova.scheduler.filters.all_filters
available_filters = nova_vhard.gates.scheduler.VirtHardeningFilter
enabled_filters = VirtHardeningFilter,{stock}
"""
_STOCK = (
    "ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,"
    "ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter,"
    "PciPassthroughFilter,NUMATopologyFilter"
)


def write(facts):
    """Write every configuration file."""
    home = facts.place.home
    services = "keystone", "nova", "glance", "placement", "neutron", "cinder"
    for service in (*services, "exporter"):
        (home(service) / "vhard").mkdir(parents=True)
    facts.attestation_key.write_text(f"{secrets.token_hex(32)}\n")
    for store in ("images", "staging", "tasks"):
        (home("glance") / store).mkdir()
    for service, file, wanted in (
        ("cinder", "cinder.conf", facts.neighbours),
        ("exporter", "exporter.conf", facts.bus),
        ("glance", "glance-api.conf", True),
        ("keystone", "keystone.conf", True),
        ("neutron", "neutron.conf", facts.neighbours),
        ("nova", "api.conf", True),
        ("nova", "databases.conf", True),
        ("placement", "placement.conf", True),
    ):
        if wanted:
            _write(facts, service, file)
    (home("cinder") / "shares").write_text("127.0.0.1:/volumes\n")
    write_gates(facts)
    for machine in facts.machines:
        _write_machine(facts, machine)
    _write_clients(facts)


def write_gates(facts):
    """Write the files that the gates are in, or not in."""
    size = "nova-small.conf" if facts.small else "nova-large.conf"
    _write(facts, "nova", "nova.conf", size)
    for service, file, gates in (
        ("nova", "api-paste.ini", facts.gates),
        ("nova", "plain-api-paste.ini", False),
        ("glance", "glance-api-paste.ini", facts.gates),
    ):
        # What the service ships.
        folder = pathlib.Path(sys.prefix) / "etc" / service
        (path,) = folder.glob("*api-paste.ini")
        text = path.read_text(encoding="utf-8")
        if gates:
            text = paste_file.add(text, paste_file.SERVICES[service])
        (facts.place.home(service) / file).write_text(text)


def _write_machine(facts, machine):
    home = facts.place.home(machine.name)
    home.mkdir()
    (home / "compute_id").write_text(f"{machine.node}\n")
    # It may be a compute node of another cloud.
    root, name = "/", f"provider_name = {machine.name}"
    if machine.tree:
        root, name = facts.place.home("hosts") / machine.name, ""
        captures.unpack(machine.tree, root, machine.node)
    more = {"machine": machine.name, "root": root, "name": name}
    _write(facts, machine.name, "nova-compute.conf", **more)
    if machine in facts.hypervisors:
        hypervisor.write(facts, machine)
    _write(facts, machine.name, "reporter.conf", **more)


def _write_clients(facts):
    """Write what the plain client reads: clouds.yaml, and a file to source."""
    clouds = {
        user.name: {
            "auth": {
                "auth_url": facts.url("keystone") + "/v3",
                "username": user.name,
                "password": facts.password,
                "project_name": user.project,
                "user_domain_id": "default",
                "project_domain_id": "default",
            },
            "region_name": users.REGION,
            # The first one with which a server needs no network is 2.37.
            "compute_api_version": "2.90",
        }
        for user in users.USERS
    }
    path = facts.place.home("clouds.yaml")
    path.write_text(yaml.safe_dump({"clouds": clouds}))
    rc = templates.fill(
        "rc",
        clouds=shlex.quote(str(path)),
        policy=shlex.quote(str(facts.place.policy)),
        bin=shlex.quote(str(pathlib.Path(sys.executable).parent)),
    )
    facts.place.home("rc").write_text(rc)


def auth(facts):
    return _AUTH.format(
        keystone=facts.url("keystone"),
        password=facts.password,
        region=users.REGION,
    )


def _pci():
    lines = []
    for card in machines.CARDS:
        ids = {"vendor_id": card.vendor_id, "product_id": card.product_id}
        alias = {"name": card.alias, "device_type": "type-PCI", **ids}
        once = {"one_time_use": "true"} if card.once else {}
        lines += [
            f"device_spec = {json.dumps(ids | once)}",
            f"alias = {json.dumps(alias)}",
        ]
    return "\n".join(lines)


def _write(facts, service, file, *other_templates, **more):
    place = facts.place
    filters = _OUR_FILTERS if facts.gates else "enabled_filters = {stock}"
    values = {
        **more,
        **facts.posture,
        "api": _DATABASE.format(facts.database("nova_api")),
        "auth": auth(facts),
        "bus": facts.bus,
        "cell1": _DATABASE.format(facts.database("nova_cell1")),
        "database": _DATABASE.format(facts.database(service)),
        "filters": filters.format(stock=_STOCK),
        "home": place.home(service),
        "import_gate": "vhard" if facts.gates else "",
        "logs": place.logs,
        "pci": _pci(),
        "placement_policy": _PLACEMENT_POLICY,
        "policy": place.policy,
        "port": facts.ports["exporter"],
        "prefix": sys.prefix,
        "region": users.REGION,
        "report_interval": _SELDOM if facts.steady else 30,
        "resources_interval": _SELDOM if facts.steady else 60,
        "service": service,
        "subset": len(facts.machines) if facts.steady else 1,
        "transport": facts.transport,
    }
    names = (file, *other_templates)
    text = "".join(templates.fill(name, **values) for name in names)
    (place.home(service) / file).write_text(text)
