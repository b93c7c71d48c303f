# SPDX-License-Identifier: Apache-2.0
"""The configuration files of a cloud's services, written to disk."""

import json
import pathlib
import secrets
import shlex
import sys

import yaml

from cloud import captures, hypervisor, machines, neighbours, users
from nova_vhard.common import paste_file

#: Seconds; the default of the reporter's.
_SELDOM = 300

_LOGGING = """\
debug = false
log_file = {logs}/{service}.log
use_stderr = false
"""
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
_VHARD = """\
[vhard]
policy_file = {policy}
state_path = {home}/vhard
notifications = {bus}
"""
#: Queues that outlive a restart of RabbitMQ, as deployment tools set it.
_RABBIT = """\
[oslo_messaging_rabbit]
amqp_durable_queues = true
"""

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

_PLACEMENT = """\
[DEFAULT]
use_stderr = false
[api]
auth_strategy = keystone
[keystone_authtoken]
# Access rules hold for a credential of these types of services; and a host's
# own token is not taken for a service's, which they do not hold for.
service_type = placement
service_token_roles_required = true
{auth}
[oslo_policy]
policy_file = {placement_policy}
[placement_database]
{database}
sync_on_startup = true
"""

_GLANCE = f"""\
[DEFAULT]
{{logging}}
enabled_backends = files:file
transport_url = {{transport}}
[database]
{{database}}
[files]
filesystem_store_datadir = {{home}}/images
[glance_store]
default_backend = files
[image_import_opts]
image_import_plugins = [{{import_gate}}]
[keystone_authtoken]
{{auth}}
[os_glance_staging_store]
filesystem_store_datadir = {{home}}/staging
[os_glance_tasks_store]
filesystem_store_datadir = {{home}}/tasks
[oslo_messaging_notifications]
driver = noop
{_RABBIT}[paste_deploy]
flavor = keystone
config_file = {{home}}/glance-api-paste.ini
{_VHARD}"""
_GLANCE_STORES = ("images", "staging", "tasks")

_NOVA = f"""\
[DEFAULT]
{{logging}}
host = controller
my_ip = 127.0.0.1
state_path = {{home}}
instances_path = {{home}}/instances
transport_url = {{transport}}
periodic_fuzzy_delay = 0
[filter_scheduler]
{{filters}}
[glance]
region_name = {{region}}
[keystone_authtoken]
{{auth}}
[key_manager]
backend = nova.keymgr.conf_key_mgr.ConfKeyManager
[oslo_concurrency]
lock_path = {{home}}/locks
[oslo_messaging_notifications]
driver = noop
{_RABBIT}[placement]
{{auth}}
[quota]
driver = nova.quota.NoopQuotaDriver
[service_user]
send_service_user_token = true
{{auth}}
[wsgi]
api_paste_config = {{home}}/api-paste.ini
{_VHARD}
posture_ttl = {{posture_ttl}}
posture_max_age = {{posture_max_age}}
attestation_key_file = {{attestation_key}}
"""
#: Many processes, with a fake hypervisor.
_NOVA_LARGE = """\
[DEFAULT]
compute_driver = fake.FakeDriverWithoutFakeNodes
update_resources_interval = {resources_interval}
[cinder]
{auth}
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
#: One process, with the real driver over a fake libvirt.
_NOVA_SMALL = """\
[DEFAULT]
compute_driver = libvirt.LibvirtDriver
vif_plugging_timeout = 0
vif_plugging_is_fatal = false
[filter_scheduler]
pci_weight_multiplier = 100
pci_in_placement = true
[libvirt]
virt_type = kvm
hw_machine_type = x86_64=q35
[pci]
report_in_placement = true
{pci}
"""
_DATABASE = """\
connection = {}
# Nothing waits for the disk: the data are for one run.
sqlite_synchronous = false"""
#: Of all services but nova-compute, which must not have it.
_DATABASES = """\
[api_database]
{api}
[database]
{cell1}
"""
_COMPUTE = """\
[DEFAULT]
host = {machine}
state_path = {home}
instances_path = {home}/instances
log_file = {logs}/nova-compute-{machine}.log
[placement]
username = nova-compute
[service_user]
username = nova-compute
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
{name}
interval = {report_interval}
state_path = {home}
policy_file = {policy}
[placement]
timeout = 30
{auth}
"""

_EXPORTER = f"""\
[DEFAULT]
log_file = {{logs}}/exporter.log
use_stderr = false
{_RABBIT}[vhard_exporter]
transport_urls = {{transport}}
port = {{port}}
"""

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

_RC = """\
# The plain openstack client of this cloud: as admin, member, reader or
# heritage, by OS_CLOUD.
unset $(env | sed -n 's/^\\(OS_[A-Z_]*\\)=.*/\\1/p')
export OS_CLIENT_CONFIG_FILE={clouds}
export OS_CLOUD=member
export OS_VHARD_POLICY={policy}
export PATH={bin}:$PATH
export XDG_CACHE_HOME={bin}/../cache
"""


def write(facts):
    """Write every configuration file."""
    home = facts.place.home
    services = "keystone", "nova", "glance", "placement", "neutron", "cinder"
    for service in services:
        (home(service) / "vhard").mkdir(parents=True)
    facts.attestation_key.write_text(f"{secrets.token_hex(32)}\n")
    for store in _GLANCE_STORES:
        (home("glance") / store).mkdir()
    if facts.neighbours:
        _write(facts, "neutron", "neutron.conf", neighbours.NEUTRON)
        _write(facts, "cinder", "cinder.conf", neighbours.CINDER)
        (home("cinder") / "shares").write_text("127.0.0.1:/volumes\n")
    _write(facts, "keystone", "keystone.conf", _KEYSTONE)
    _write(facts, "placement", "placement.conf", _PLACEMENT)
    _write(facts, "glance", "glance-api.conf", _GLANCE)
    write_gates(facts)
    _write(facts, "nova", "databases.conf", _DATABASES)
    _write(facts, "nova", "api.conf", _API)
    for machine in facts.machines:
        _write_machine(facts, machine)
    if facts.bus:
        home("exporter").mkdir()
        port = facts.ports["exporter"]
        _write(facts, "exporter", "exporter.conf", _EXPORTER, port=port)
    _write_clients(facts)


def write_gates(facts):
    """Write the files that the gates are in, or not in."""
    home = facts.place.home
    nova = _NOVA + (_NOVA_SMALL if facts.small else _NOVA_LARGE)
    _write(facts, "nova", "nova.conf", nova, **facts.posture)
    for service, path, gates in (
        ("nova", "api-paste.ini", facts.gates),
        ("nova", "plain-api-paste.ini", False),
        ("glance", "glance-api-paste.ini", facts.gates),
    ):
        (home(service) / path).write_text(_paste(service, gates))


def _paste(service, gate):
    """Return the paste file that a service ships, with our gate or not."""
    (path,) = (pathlib.Path(sys.prefix) / "etc" / service).glob(
        "*api-paste.ini"
    )
    text = path.read_text(encoding="utf-8")
    return paste_file.add(text, paste_file.SERVICES[service]) if gate else text


def _write_machine(facts, machine):
    home = facts.place.home(machine.name)
    home.mkdir()
    (home / "compute_id").write_text(f"{machine.node}\n")
    root, name = facts.place.home("hosts") / machine.name, ""
    if machine.tree:
        captures.unpack(machine.tree, root, machine.node)
    else:
        # It may be somebody else's compute node.
        root, name = "/", f"provider_name = {machine.name}"
    more = {"machine": machine.name, "root": root, "name": name}
    _write(facts, machine.name, "nova-compute.conf", _COMPUTE, **more)
    if machine in facts.hypervisors:
        hypervisor.write(facts, machine)
    _write(facts, machine.name, "reporter.conf", _REPORTER, **more)


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
    bin = shlex.quote(str(pathlib.Path(sys.executable).parent))
    rc = _RC.format(
        clouds=shlex.quote(str(path)),
        policy=shlex.quote(str(facts.place.policy)),
        bin=bin,
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


def _write(facts, service, file, template, **more):
    place = facts.place
    common = {"logs": place.logs, "home": place.home(service)}
    filters = _OUR_FILTERS if facts.gates else "enabled_filters = {stock}"
    text = template.format(
        **common,
        **more,
        api=_DATABASE.format(facts.database("nova_api")),
        auth=auth(facts),
        bus=facts.bus,
        cell1=_DATABASE.format(facts.database("nova_cell1")),
        database=_DATABASE.format(facts.database(service)),
        filters=filters.format(stock=_STOCK),
        import_gate="vhard" if facts.gates else "",
        logging=_LOGGING.format(service=service, **common),
        pci=_pci(),
        placement_policy=_PLACEMENT_POLICY,
        policy=place.policy,
        prefix=sys.prefix,
        region=users.REGION,
        report_interval=_SELDOM if facts.steady else 30,
        resources_interval=_SELDOM if facts.steady else 60,
        subset=len(facts.machines) if facts.steady else 1,
        transport=facts.transport,
    )
    (place.home(service) / file).write_text(text)
