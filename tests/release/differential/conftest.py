# SPDX-License-Identifier: Apache-2.0
"""The record of the whole search."""

import datetime
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import seeds

_LAST = """\
.. Written by ``tox -e differential``; do not edit.

The last whole search: {day}, Nova {nova}, Glance {glance}, seed {seed},
{outcome}.

.. list-table::
   :header-rows: 1

   * - Search
     - Examples
     - Seconds
{rows}
"""

_ROW = "   * - {name}\n     - {count:,}\n     - {seconds:,}\n"


class Record:
    """Searches that were run, and the time that they took."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []
        self.failed = False

    def add(self, name: str, count: int, seconds: float) -> None:
        """Note one search that found nothing."""
        row = {"name": name, "count": count, "seconds": round(seconds)}
        self.rows.append(row)


RECORD = Record()


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
    took = time.monotonic() - start
    title = request.function.__doc__.partition("\n")[0].rstrip(".")
    RECORD.add(title, count["examples"], took)
    print(f"{title}: {count['examples']} examples, {took:.0f} s")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the record where NOVA_VHARD_RECORD says, if all is well."""
    import importlib.metadata as metadata

    target = os.environ.get("NOVA_VHARD_RECORD")
    if not target or not RECORD.rows or exitstatus:
        return
    text = _LAST.format(
        day=datetime.datetime.now(datetime.UTC).date(),
        nova=metadata.version("nova"),
        glance=metadata.version("glance"),
        seed=seeds.SEED,
        outcome="no difference",
        rows="".join(_ROW.format(**row) for row in RECORD.rows).rstrip(),
    )
    Path(target).write_text(text)
