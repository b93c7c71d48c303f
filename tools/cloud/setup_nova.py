# SPDX-License-Identifier: Apache-2.0
"""Create Nova's databases, and map its computes once they are up.

Run as ``python -m cloud.setup_nova HOME CELL1 TRANSPORT``. nova-manage needs
seven calls for this, each of which imports Nova again. It ends when all
computes are mapped; the databases are ready when the file ``databases-ready``
is in HOME, next to Nova's configuration.

CELL1 is the address of cell1's database; that of cell0 is derived from it.
"""

import pathlib
import sys
import time

from nova import monkey_patch

monkey_patch.patch(backend="threading")

from nova import config, context, objects  # noqa: E402
from nova.db import migration  # noqa: E402
from nova.objects import host_mapping  # noqa: E402
from oslo_utils import uuidutils  # noqa: E402

from cloud import machines  # noqa: E402


def main(home, cell1, transport):
    configure(home)
    make_databases(cell1, transport)
    (pathlib.Path(home) / "databases-ready").touch()
    known = 0
    while known < len(machines.MACHINES):
        time.sleep(0.3)
        known += len(host_mapping.discover_hosts(context.get_admin_context()))


def configure(home):
    files = [f"{home}/{name}" for name in ("nova.conf", "databases.conf")]
    config.parse_args(["nova", *(f"--config-file={file}" for file in files)])
    objects.register_all()


def make_databases(cell1, transport):
    """Make the API's database, those of two cells, and the flavors."""
    admin = context.get_admin_context()
    migration.db_sync(database="api")
    migration.db_sync(database="main")
    # The one without computes.
    none = objects.CellMapping.CELL0_UUID, "none:///"
    other = uuidutils.generate_uuid(), transport
    for name, (uuid, url) in (("cell0", none), ("cell1", other)):
        cell = objects.CellMapping(
            admin,
            uuid=uuid,
            name=name,
            transport_url=url,
            database_connection=cell1.replace("cell1", name),
        )
        cell.create()
        if name == "cell0":
            with context.target_cell(admin, cell) as targeted:
                migration.db_sync(database="main", context=targeted)
    for flavor in machines.FLAVORS:
        objects.Flavor(
            admin,
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


if __name__ == "__main__":
    main(*sys.argv[1:])
