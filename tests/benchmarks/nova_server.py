# SPDX-License-Identifier: Apache-2.0
"""Nova APIs over HTTP on loopback for the benchmark; see ``forked``.

Only the API: no conductor, scheduler or compute runs, and what the API casts
to them stays in memory.  The directory of each holds nova.conf and the
databases already: ``python -m tests.benchmarks.nova_server DIRECTORY GLANCE
NETWORK`` makes it, with the addresses of Glance and Neutron.
"""

import os
import shutil
import sys
import uuid
from pathlib import Path
from typing import Any

from nova import monkey_patch

# Before anything else of Nova, as nova.wsgi.osapi_compute does.
monkey_patch.patch(backend="threading")

import nova.api.openstack.compute  # noqa: E402, F401
from nova import config, context, objects  # noqa: E402
from nova.api.openstack import wsgi_app  # noqa: E402
from nova.compute import power_state, vm_states  # noqa: E402
from nova.db import migration  # noqa: E402
from nova.network.model import NetworkInfo  # noqa: E402
from oslo_utils import timeutils  # noqa: E402

import nova_vhard.gates.nova_api  # noqa: E402, F401
from tests.benchmarks import forked, nova_cloud  # noqa: E402
from tests.benchmarks.nova_cloud import (  # noqa: E402
    CONFIGURATION,
    FLAVOR,
    PROJECT,
    SERVERS,
)
from tests.functional.nova import service  # noqa: E402


def load(directory: Path) -> Any:
    """Return Nova, as nova.wsgi.osapi_compute does under a WSGI server."""
    os.chdir(directory)
    os.environ["OS_NOVA_CONFIG_DIR"] = str(directory)
    program = "nova-api-os-compute"
    sys.argv = [program]
    return wsgi_app.init_application("osapi_compute", program)


def make(directory: str, glance: str, network: str) -> None:
    """Make configuration, policy and databases, of two cells with servers."""
    os.makedirs(directory)
    os.chdir(directory)
    for name in ("locks", "vhard"):
        os.mkdir(name)
    text = CONFIGURATION.format(glance=glance, network=network)
    Path("nova.conf").write_text(text)
    service.write_policy(Path("vhard.yaml"), "")
    config.parse_args(["nova", "--config-file", "nova.conf"])
    objects.register_all()
    for name in ("api", "main"):
        migration.db_sync(database=name)
    shutil.copy("cell1.sqlite", "cell0.sqlite")
    admin = context.get_admin_context()
    for name, cell_id, transport in (
        ("cell0", objects.CellMapping.CELL0_UUID, "none:///"),
        ("cell1", str(uuid.uuid4()), "fake:/"),
    ):
        cell = objects.CellMapping(
            admin,
            uuid=cell_id,
            name=name,
            transport_url=transport,
            database_connection=f"sqlite:///{name}.sqlite",
        )
        cell.create()
    flavor = objects.Flavor(
        admin,
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
    for number in range(1, SERVERS + 1):
        _make_server(str(uuid.UUID(int=number)), cell, flavor)


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


if __name__ == "__main__":
    if len(sys.argv) == 3:
        forked.main(sys.argv[1:], nova_cloud.write_paste_file, load)
    else:
        make(*sys.argv[1:])
