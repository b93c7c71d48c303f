# SPDX-License-Identifier: Apache-2.0
"""The databases of the Nova API of the benchmark, with servers in them.

Run as ``python -m tests.benchmarks.nova_database DIRECTORY``: makes there the
databases that the nova.conf in it names.
"""

import os
import shutil
import sys
import uuid
from typing import Any

from nova import monkey_patch

# Before anything else of Nova, as Nova's own commands do.
monkey_patch.patch(backend="threading")

from nova import config, context, objects  # noqa: E402
from nova.compute import power_state, vm_states  # noqa: E402
from nova.db import migration  # noqa: E402
from nova.network.model import NetworkInfo  # noqa: E402
from oslo_utils import timeutils  # noqa: E402

from tests.benchmarks.nova_cloud import FLAVOR, PROJECT, SERVERS  # noqa: E402


def make() -> None:
    """Make the databases of the API and of two cells."""
    migration.db_sync(database="api")
    migration.db_sync(database="main")
    shutil.copy("cell1.sqlite", "cell0.sqlite")
    _make_cell("cell0", objects.CellMapping.CELL0_UUID, "none:///")
    cell = _make_cell("cell1", str(uuid.uuid4()), "fake:/")
    flavor = _make_flavor()
    for number in range(1, SERVERS + 1):
        _make_server(str(uuid.UUID(int=number)), cell, flavor)


def _make_cell(name: str, cell_id: str, transport: str) -> Any:
    cell = objects.CellMapping(
        context.get_admin_context(),
        uuid=cell_id,
        name=name,
        transport_url=transport,
        database_connection=f"sqlite:///{name}.sqlite",
    )
    cell.create()
    return cell


def _make_flavor() -> Any:
    flavor = objects.Flavor(
        context.get_admin_context(),
        flavorid=FLAVOR,
        name=FLAVOR,
        memory_mb=1024,
        vcpus=1,
        root_gb=1,
        ephemeral_gb=0,
        swap=0,
        rxtx_factor=1.0,
        disabled=False,
        is_public=True,
        extra_specs={"hw:cpu_policy": "shared"},
    )
    flavor.create()
    return flavor


def _make_server(server_id: str, cell: Any, flavor: Any) -> None:
    """Make a running server, as nova-compute would leave it."""
    admin = context.get_admin_context()
    objects.InstanceMapping(
        admin,
        instance_uuid=server_id,
        cell_mapping=cell,
        project_id=PROJECT,
        user_id="alice",
        queued_for_delete=False,
    ).create()
    with context.target_cell(admin, cell) as targeted:
        objects.Instance(
            targeted,
            uuid=server_id,
            project_id=PROJECT,
            user_id="alice",
            host="compute1",
            node="compute1",
            compute_id=1,
            display_name="a server",
            hostname="a-server",
            launched_at=timeutils.utcnow(with_timezone=True),
            progress=0,
            config_drive="",
            image_ref=str(uuid.UUID(int=0)),
            vm_state=vm_states.ACTIVE,
            power_state=power_state.RUNNING,
            memory_mb=flavor.memory_mb,
            vcpus=flavor.vcpus,
            root_gb=flavor.root_gb,
            flavor=flavor,
            system_metadata={
                "image_hw_disk_bus": "virtio",
                "image_hw_vif_model": "virtio",
                "image_hw_machine_type": "q35",
            },
            info_cache=objects.InstanceInfoCache(
                targeted, instance_uuid=server_id, network_info=NetworkInfo()
            ),
        ).create()


def main(directory: str) -> None:
    """Make the databases in a directory."""
    os.chdir(directory)
    config.parse_args(["nova", "--config-file", "nova.conf"])
    objects.register_all()
    make()


if __name__ == "__main__":
    main(sys.argv[1])
