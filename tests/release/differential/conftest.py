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


#: Searches that found nothing, and the time that they took.
ROWS: list[str] = []


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
    ROWS.append(
        _ROW.format(
            name=request.function.__doc__.partition("\n")[0].rstrip("."),
            count=count["examples"],
            seconds=round(time.monotonic() - start),
        )
    )
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
        outcome="no difference",
        rows="".join(ROWS).rstrip(),
    )
    Path(target).write_text(text)
