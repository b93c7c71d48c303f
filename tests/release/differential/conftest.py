# SPDX-License-Identifier: Apache-2.0
"""The record of the whole search."""

import datetime
import os
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from tests import seeds
from tests.list_table import list_table

_LAST = """\
.. Written by ``tox -e differential``; do not edit.

The last whole search: {day}, Nova {nova}, Glance {glance}, seed {seed},
no difference.

"""

#: Searches that found nothing, their examples, and the seconds that they took.
ROWS: list[tuple[str, ...]] = []


@pytest.fixture(autouse=True)
def recorded(request: pytest.FixtureRequest) -> Iterator[None]:
    """Count the examples of a test that searches, and time it."""
    count = getattr(request.module, "TRIED", None)
    if count is None or "search" not in request.node.name:
        yield
        return
    count.clear()
    start = time.monotonic()
    yield
    name = request.function.__doc__.partition("\n")[0].rstrip(".")
    seconds = round(time.monotonic() - start)
    ROWS.append((name, f"{count['examples']:,}", f"{seconds:,}"))
    print(ROWS[-1])


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the record where NOVA_VHARD_RECORD says, if all is well."""
    target = os.environ.get("NOVA_VHARD_RECORD")
    if not target or not ROWS or exitstatus:
        return
    text = _LAST.format(
        day=datetime.datetime.now(datetime.UTC).date(),
        nova=metadata.version("nova"),
        glance=metadata.version("glance"),
        seed=seeds.SEED,
    )
    table = list_table([("Search", "Examples", "Seconds"), *ROWS])
    Path(target).write_text(text + table)
