# SPDX-License-Identifier: Apache-2.0
"""Whether Nova is at rest, by its own tables: a look that costs little.

Nova's API reads dozens of tables for one server, and a test that waits looks
many times. No cell is targeted for it: Nova's fixture has one lock for that,
and who holds it may wait for a writer that waits for it.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from nova.db.api import api as api_database
from nova.db.main import api as database
from nova.objects.cell_mapping import CellMapping
from placement import db_api as placement_database

#: What has Nova's API database, and what has Placement's.
API = api_database.context_manager
PLACEMENT = placement_database.placement_context_manager

#: Long enough for a machine that has much else to do.
WAIT_SECONDS = 300
POLLS_A_SECOND = 50


def until(done: Callable[[], Any], what: str) -> None:
    """Wait for a condition; fail with a text if it is never met."""
    for _ in range(WAIT_SECONDS * POLLS_A_SECOND):
        if done():
            return
        time.sleep(1 / POLLS_A_SECOND)
    raise AssertionError(what)


def busy(cells: Iterable[CellMapping]) -> set[str]:
    """Return the ids of the servers that Nova is at work on.

    A server goes from the requests into a cell: in that order they are read.
    """
    return _of_all(
        cells,
        (
            "SELECT uuid FROM instances WHERE deleted = 0 "
            "AND (task_state IS NOT NULL OR vm_state = 'building')"
        ),
    )


def servers(cells: Iterable[CellMapping]) -> set[str]:
    """Return the ids of all servers."""
    return _of_all(cells, "SELECT uuid FROM instances WHERE deleted = 0")


def _of_all(cells: Iterable[CellMapping], query: str) -> set[str]:
    requested = _ids(API, "SELECT instance_uuid FROM build_requests")
    managers = (
        database.create_context_manager(cell.database_connection)
        for cell in cells
    )
    return requested.union(*(_ids(manager, query) for manager in managers))


def _ids(manager: Any, query: str) -> set[str]:
    engine = manager.reader.get_engine()
    with contextlib.closing(engine.raw_connection()) as connection:
        return {server for (server,) in connection.execute(query)}


def copied(manager: Any) -> sqlite3.Connection:
    """Return a copy of a database."""
    copy = sqlite3.connect(":memory:", check_same_thread=False)
    with _connection(manager) as original:
        original.backup(copy)
    return copy


def put_back(manager: Any, copy: sqlite3.Connection) -> None:
    """Restore a database from its copy."""
    with _connection(manager) as original:
        copy.backup(original)


@contextlib.contextmanager
def _connection(manager: Any) -> Iterator[sqlite3.Connection]:
    engine = manager.writer.get_engine()
    with contextlib.closing(engine.raw_connection()) as connection:
        yield connection.driver_connection
