# SPDX-License-Identifier: Apache-2.0
"""The configuration files of the cloud's services, written to disk."""

import shlex

import yaml

from cloud import users
from cloud.machines import MACHINES
from common import captures, options, paste

#: Seconds; the default of the reporter's.
_SELDOM = 300

_KEYSTONE = """\
[DEFAULT]
{logging}
[credential]
key_repository = {home}/credential-keys
[database]
{database}
[fernet_receipts]
key_repository = {home}/receipt-keys
[fernet_tokens]
key_repository = {home}/keys
[identity]
# The fewest: nobody attacks these passwords.
password_hash_rounds = 4
"""

_NOVA = (
    options.NOVA
    + options.VHARD
    + """\
posture_ttl = {posture_ttl}
posture_max_age = {posture_max_age}
[DEFAULT]
host = controller
transport_url = {transport}
compute_driver = fake.FakeDriverWithoutFakeNodes
update_resources_interval = {resources_interval}
[conductor]
workers = 1
[filter_scheduler]
host_subset_size = {subset}
[neutron]
{auth}
[scheduler]
workers = 2
[vnc]
enabled = false
"""
)

#: Of all services but nova-compute, which must not have it.
_DATABASES = """\
[api_database]
connection = {api}
[database]
connection = {cell1}
"""

_COMPUTE = """\
[DEFAULT]
host = {machine}
state_path = {home}
instances_path = {home}/instances
log_file = {logs}/nova-compute-{machine}.log
"""

_API = """\
[DEFAULT]
log_file = {logs}/nova-api.log
"""

_REPORTER = """\
[DEFAULT]
log_file = {logs}/reporter-{machine}.log
use_stderr = false
[vhard_reporter]
root = {root}
interval = {report_interval}
state_path = {home}
policy_file = {policy}
[placement]
timeout = 30
{auth}
"""

_RC = """\
# The plain openstack client of this cloud: as admin, member, reader or
# heritage, by OS_CLOUD.
unset $(env | sed -n 's/^\\(OS_[A-Z_]*\\)=.*/\\1/p')
export OS_CLIENT_CONFIG_FILE={clouds}
export OS_CLOUD=member
export PATH={bin}:$PATH
# Of the libraries' lists of entry points.
export XDG_CACHE_HOME={bin}/../cache
"""


def write(facts):
    """Write every configuration file.

    :param facts: cloud.facts.Facts
    """
    place = facts.place
    for service in ("keystone", "nova", "glance", "placement", "reporters"):
        (place.home(service) / "vhard").mkdir(parents=True)
    _write(facts, "keystone", "keystone.conf", _KEYSTONE)
    _write(facts, "placement", "placement.conf", options.PLACEMENT)
    glance = options.GLANCE + options.VHARD
    _write(facts, "glance", "glance-api.conf", glance)
    for store in options.GLANCE_STORES:
        (place.home("glance") / store).mkdir()
    _write(facts, "nova", "nova.conf", _NOVA, **facts.posture)
    _write(facts, "nova", "databases.conf", _DATABASES)
    _write(facts, "nova", "api.conf", _API)
    nova, glance = place.home("nova"), place.home("glance")
    (nova / "api-paste.ini").write_text(paste.nova(facts.gates))
    (nova / "plain-api-paste.ini").write_text(paste.nova(False))
    (glance / "glance-api-paste.ini").write_text(paste.glance(facts.gates))
    for machine in MACHINES:
        _write_machine(facts, machine)


def _write_machine(facts, machine):
    """Write what nova-compute and the reporter of a machine read."""
    place = facts.place
    home = place.home(machine.name)
    home.mkdir()
    (home / "compute_id").write_text(f"{machine.node}\n")
    root = place.home("hosts") / machine.name
    captures.unpack(machine.tree, root, machine.node)
    for name, template in (
        ("nova-compute.conf", _COMPUTE),
        ("reporter.conf", _REPORTER),
    ):
        _write(
            facts,
            machine.name,
            name,
            template,
            machine=machine.name,
            root=root,
        )


def write_clients(facts, bin):
    """Write what the plain client reads: clouds.yaml, and a file to source.

    :param bin: directory of the ``openstack`` command
    """
    common = {"user_domain_id": "default", "project_domain_id": "default"}
    clouds = {
        user.name: {
            "auth": {
                "auth_url": facts.url("keystone") + "/v3",
                "username": user.name,
                "password": facts.password,
                "project_name": user.project,
                **common,
            },
            "region_name": users.REGION,
            # The first one with which a server needs no network is 2.37.
            "compute_api_version": "2.90",
        }
        for user in users.USERS
    }
    path = facts.place.root / "clouds.yaml"
    path.write_text(yaml.safe_dump({"clouds": clouds}))
    rc = _RC.format(clouds=shlex.quote(str(path)), bin=shlex.quote(str(bin)))
    (facts.place.root / "rc").write_text(rc)


def _write(facts, service, name, template, **more):
    place = facts.place
    common = {"logs": place.logs, "home": place.home(service)}
    text = template.format(
        **common,
        **more,
        api=facts.database("nova_api"),
        auth=options.auth(facts.url("keystone"), facts.password, users.REGION),
        cell1=facts.database("nova_cell1"),
        database=f"connection = {facts.database(service)}",
        filters=options.filters(facts.gates),
        logging=options.LOGGING.format(service=service, **common),
        policy=place.policy,
        region=users.REGION,
        report_interval=_SELDOM if facts.steady else 30,
        resources_interval=_SELDOM if facts.steady else 60,
        subset=len(MACHINES) if facts.steady else 1,
        transport=facts.transport,
    )
    (place.home(service) / name).write_text(text)
