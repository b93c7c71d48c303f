# SPDX-License-Identifier: Apache-2.0
"""The first objects in Cinder and Neutron, and names in their files."""

#: The network that everybody may use, with addresses of documentation.
NETWORK = "private"
#: What it is on, as agents of Neutron's call it.
PHYSICAL = "physnet1"
#: The type of volumes, and the backend of Cinder's that has them.
VOLUMES = "files"


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
