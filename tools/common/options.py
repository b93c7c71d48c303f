# SPDX-License-Identifier: Apache-2.0
"""The parts of the services' configuration that all clouds here share.

Templates; what their fields stand for:

- ``home``: the service's directory, with subdirectories as named here
- ``logging``: LOGGING
- ``auth``: what ``auth`` returns
- ``database``: the lines of a section that says where the database is
"""

LOGGING = """\
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

NOVA = """\
[DEFAULT]
{logging}
my_ip = 127.0.0.1
state_path = {home}
instances_path = {home}/instances
periodic_fuzzy_delay = 0
[filter_scheduler]
{filters}
[glance]
region_name = {region}
[keystone_authtoken]
{auth}
[key_manager]
backend = nova.keymgr.conf_key_mgr.ConfKeyManager
[oslo_concurrency]
lock_path = {home}/locks
[oslo_messaging_notifications]
driver = noop
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

GLANCE = """\
[DEFAULT]
{logging}
enabled_backends = files:file
[database]
{database}
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
#: Directories in Glance's home.
GLANCE_STORES = ("images", "staging", "tasks")

PLACEMENT = """\
[DEFAULT]
use_stderr = false
[api]
auth_strategy = keystone
[keystone_authtoken]
{auth}
[placement_database]
{database}
sync_on_startup = true
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

VHARD = """\
[vhard]
policy_file = {policy}
state_path = {home}/vhard
"""


def auth(keystone, password, region):
    """Give the options by which a service logs in, as text.

    :param keystone: address of the identity service
    """
    return _AUTH.format(keystone=keystone, password=password, region=region)


def filters(gates):
    """Give the scheduler's filters, as text.

    :param gates: whether this project's is among them
    """
    template = _OUR_FILTERS if gates else "enabled_filters = {stock}"
    return template.format(stock=_STOCK)
