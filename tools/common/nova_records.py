# SPDX-License-Identifier: Apache-2.0
"""Records of Nova's API database that an operator makes once.

Imported only where Nova is configured and its objects are registered.
"""

from nova import context, objects
from oslo_utils import uuidutils


def map_cell(name, transport, connection):
    """Make a cell known to the API.

    :param name: ``cell0`` is the one without computes
    :param transport: address of the cell's message queue
    :param connection: address of the cell's database
    """
    cell0 = name == "cell0"
    objects.CellMapping(
        context.get_admin_context(),
        uuid=(
            objects.CellMapping.CELL0_UUID
            if cell0
            else uuidutils.generate_uuid()
        ),
        name=name,
        transport_url="none:///" if cell0 else transport,
        database_connection=connection,
    ).create()


def make_flavor(flavor):
    """Make a flavor that everybody may use.

    :param flavor: common.flavor.Flavor
    """
    objects.Flavor(
        context.get_admin_context(),
        flavorid=flavor.id,
        name=flavor.name,
        memory_mb=flavor.memory_mb,
        vcpus=1,
        root_gb=flavor.root_gb,
        ephemeral_gb=0,
        swap=0,
        rxtx_factor=1.0,
        disabled=False,
        is_public=True,
        extra_specs=flavor.extra_specs,
    ).create()
