# SPDX-License-Identifier: Apache-2.0
"""The configuration files of the demo's services, written to disk."""

import json

from demo import identity, machines, paste

_LOGGING = """\
debug = false
log_file = {logs}/{service}.log
use_stderr = false
"""

_AUTH = """\
auth_type = password
auth_url = {keystone}
username = service
password = {password}
project_name = service
user_domain_id = default
project_domain_id = default
region_name = {region}
"""

_NOVA = """\
[DEFAULT]
{logging}
host = controller
my_ip = 127.0.0.1
state_path = {home}
instances_path = {home}/instances
transport_url = fake:/
compute_driver = libvirt.LibvirtDriver
periodic_fuzzy_delay = 0
vif_plugging_timeout = 0
vif_plugging_is_fatal = false
[api_database]
connection = sqlite:///{home}/api.sqlite
sqlite_synchronous = false
[database]
connection = sqlite:///{home}/cell1.sqlite
sqlite_synchronous = false
[filter_scheduler]
pci_weight_multiplier = 100
{filters}
[glance]
region_name = {region}
[keystone_authtoken]
{auth}
[key_manager]
backend = nova.keymgr.conf_key_mgr.ConfKeyManager
[libvirt]
virt_type = kvm
hw_machine_type = x86_64=q35
[oslo_concurrency]
lock_path = {home}/locks
[oslo_messaging_notifications]
driver = noop
[pci]
{pci}
[placement]
{auth}
[quota]
driver = nova.quota.NoopQuotaDriver
[service_user]
send_service_user_token = true
{auth}
[wsgi]
api_paste_config = {home}/api-paste.ini
"""

_GLANCE = """\
[DEFAULT]
{logging}
enabled_backends = files:file
[database]
connection = sqlite:///{home}/glance.sqlite
sqlite_synchronous = false
[files]
filesystem_store_datadir = {home}/images
[glance_store]
default_backend = files
[keystone_authtoken]
{auth}
[os_glance_staging_store]
filesystem_store_datadir = {home}/staging
[os_glance_tasks_store]
filesystem_store_datadir = {home}/tasks
[oslo_messaging_notifications]
driver = noop
[paste_deploy]
flavor = keystone
config_file = {home}/glance-api-paste.ini
"""

_PLACEMENT = """\
[DEFAULT]
use_stderr = false
[api]
auth_strategy = keystone
[keystone_authtoken]
{auth}
[placement_database]
connection = sqlite:///{home}/placement.sqlite
sqlite_synchronous = false
sync_on_startup = true
"""

#: The lines that README.rst tells an operator to add to nova.conf, the
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

_VHARD = """\
[vhard]
policy_file = {policy}
state_path = {home}/vhard
"""
#: So that the story need not wait a minute for what a reporter says.
_POSTURE = "posture_ttl = 1\n"


def write(place, keystone, gates):
    """Write every configuration file.

    :param place: demo.place.Place with the directories
    :param keystone: address of the identity service
    :param gates: whether this project's gates are configured
    """
    for service in ("nova", "glance", "placement"):
        (place.home(service) / "vhard").mkdir(parents=True)
    ours = _VHARD if gates else ""
    posture = _POSTURE if gates else ""
    _write(place, "nova", "nova.conf", _NOVA + ours + posture, keystone, gates)
    _write(place, "glance", "glance-api.conf", _GLANCE + ours, keystone, gates)
    _write(place, "placement", "placement.conf", _PLACEMENT, keystone, False)
    nova, glance = place.home("nova"), place.home("glance")
    (nova / "api-paste.ini").write_text(paste.nova(gates))
    (nova / "shipped-api-paste.ini").write_text(paste.nova(False))
    (glance / "glance-api-paste.ini").write_text(paste.glance(gates))
    for store in ("images", "staging", "tasks"):
        (glance / store).mkdir()


def auth(keystone):
    """Give the options by which a service logs in, as text.

    :param keystone: address of the identity service
    """
    return _AUTH.format(
        keystone=f"{keystone}/v3",
        password=identity.PASSWORD,
        region=identity.REGION,
    )


def _pci():
    lines = []
    for card in machines.CARDS:
        ids = {"vendor_id": card.vendor_id, "product_id": card.product_id}
        alias = {"name": card.alias, "device_type": "type-PCI", **ids}
        lines += [
            f"device_spec = {json.dumps(ids)}",
            f"alias = {json.dumps(alias)}",
        ]
    return "\n".join(lines)


def _write(place, service, name, template, keystone, gates):
    common = {"logs": place.logs, "home": place.home(service)}
    text = template.format(
        **common,
        logging=_LOGGING.format(service=service, **common),
        auth=auth(keystone),
        filters=(
            _OUR_FILTERS if gates else "enabled_filters = {stock}"
        ).format(stock=_STOCK),
        pci=_pci(),
        policy=place.policy,
        region=identity.REGION,
    )
    (place.home(service) / name).write_text(text)
