# SPDX-License-Identifier: Apache-2.0
"""The configuration of Cinder and Neutron, and what they have at first."""

#: The network that everybody may use, with addresses of documentation.
NETWORK = "private"
#: What it is on, as agents of Neutron's call it.
PHYSICAL = "physnet1"
#: The type of volumes, and the backend of Cinder's that has them.
VOLUMES = "files"

CINDER = f"""\
[DEFAULT]
{{logging}}
api_paste_config = {{prefix}}/etc/cinder/api-paste.ini
default_volume_type = {VOLUMES}
enabled_backends = {VOLUMES}
resource_query_filters_file = {{prefix}}/etc/cinder/resource_filters.json
state_path = {{home}}
transport_url = {{transport}}
[coordination]
backend_url = file://{{home}}/locks
[database]
{{database}}
[{VOLUMES}]
nas_secure_file_operations = true
nas_secure_file_permissions = true
nfs_mount_point_base = {{home}}/mounts
nfs_shares_config = {{home}}/shares
volume_backend_name = {VOLUMES}
volume_driver = cloud.storage.Driver
[key_manager]
backend = cinder.keymgr.conf_key_mgr.ConfKeyManager
[keystone_authtoken]
service_token_roles_required = true
{{auth}}
[oslo_concurrency]
lock_path = {{home}}/locks
[oslo_messaging_rabbit]
amqp_durable_queues = true
[service_user]
send_service_user_token = true
{{auth}}
"""
NEUTRON = f"""\
[DEFAULT]
{{logging}}
agent_down_time = 2147483
api_paste_config = {{prefix}}/etc/neutron/api-paste.ini
core_plugin = cloud.network.Plugin
enable_traditional_dhcp = false
rpc_workers = 0
[database]
{{database}}
[keystone_authtoken]
{{auth}}
[ml2]
extension_drivers = port_security
mechanism_drivers = openvswitch,sriovnicswitch
tenant_network_types = vlan
type_drivers = vlan
[ml2_type_vlan]
network_vlan_ranges = {PHYSICAL}:100:199
[nova]
{{auth}}
"""


def seed(sdk):
    """Make the network, and the type of volumes.

    :param sdk: openstacksdk's connection of an administrator
    """
    network = sdk.network.create_network(
        name=NETWORK,
        shared=True,
        provider_network_type="vlan",
        provider_physical_network=PHYSICAL,
    )
    sdk.network.create_subnet(
        name=NETWORK,
        network_id=network.id,
        ip_version=4,
        cidr="192.0.2.0/24",
        enable_dhcp=False,
    )
    sdk.block_storage.create_type(
        name=VOLUMES, extra_specs={"volume_backend_name": VOLUMES}
    )
