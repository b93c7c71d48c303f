# SPDX-License-Identifier: Apache-2.0
"""Make Nova's databases, and make its computes known when they are there.

Run as ``python -m cloud.setup_nova HOME MARIADB TRANSPORT``. What nova-manage
does in seven calls, each of which imports Nova anew. It ends when all
computes are known; the databases are ready when the file ``databases-ready``
is in HOME, beside Nova's configuration.

MARIADB is the address of cell1's database; that of cell0 is named alike.
"""

import pathlib
import sys
import time

from nova import monkey_patch

monkey_patch.patch(backend="threading")

from nova import config, context, objects  # noqa: E402
from nova.db import migration  # noqa: E402
from nova.objects import host_mapping  # noqa: E402

from cloud.machines import MACHINES  # noqa: E402
from common import flavor, nova_records  # noqa: E402

_FLAVORS = (
    flavor.Flavor("1", "m1.tiny"),
    flavor.Flavor("2", "m1.small", 1024, 2),
)


def main(home, cell1, transport):
    """Do it."""
    files = [f"{home}/{name}" for name in ("nova.conf", "databases.conf")]
    config.parse_args(["nova", *(f"--config-file={one}" for one in files)])
    objects.register_all()
    admin = context.get_admin_context()
    migration.db_sync(database="api")
    migration.db_sync(database="main")
    cell0 = cell1.replace("cell1", "cell0")
    nova_records.map_cell("cell0", transport, cell0)
    nova_records.map_cell("cell1", transport, cell1)
    mapping = objects.CellMapping.get_by_uuid(
        admin, objects.CellMapping.CELL0_UUID
    )
    with context.target_cell(admin, mapping) as targeted:
        migration.db_sync(database="main", context=targeted)
    for one in _FLAVORS:
        nova_records.make_flavor(one)
    (pathlib.Path(home) / "databases-ready").touch()
    known = 0
    while known < len(MACHINES):
        time.sleep(0.3)
        known += len(host_mapping.discover_hosts(admin))


if __name__ == "__main__":
    main(*sys.argv[1:])
