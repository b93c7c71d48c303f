# SPDX-License-Identifier: Apache-2.0
"""Whether Nova is at rest, by its own tables: a look that costs little.

Nova's API reads dozens of tables for one server, and a test that waits looks
many times. No cell is targeted for it: Nova's fixture has one lock for that,
and who holds it may wait for a writer that waits for it.
"""

import contextlib
from collections.abc import Iterable
from typing import Any

from nova import objects
from nova.db.api import api as api_database
from nova.db.main import api as database

AT_WORK = (
    "SELECT uuid FROM instances WHERE deleted = 0 "
    "AND (task_state IS NOT NULL OR vm_state = 'building')"
)
REQUESTED = "SELECT instance_uuid FROM build_requests"


def busy(cells: Iterable[objects.CellMapping]) -> set[str]:
    """Return the ids of the servers that Nova is at work on.

    A server goes from the requests into a cell: in that order they are read.
    """
    servers = _ids(api_database.context_manager, REQUESTED)
    for cell in cells:
        manager = database.create_context_manager(cell.database_connection)
        servers |= _ids(manager, AT_WORK)
    return servers


def _ids(manager: Any, query: str) -> set[str]:
    engine = manager.reader.get_engine()
    with contextlib.closing(engine.raw_connection()) as connection:
        return {found for (found,) in connection.execute(query)}
