# SPDX-License-Identifier: Apache-2.0
"""Each cell of the matrix is green: judged, refused, or no case in Nova.

``NOVA_VHARD_ORACLE=full``, as ``tox -e oracle`` sets it, is for every cell,
with a cloud an operation; otherwise a few cells stand for all, in one.
"""

import os
from collections.abc import Iterator

import pytest

from tests import services
from tests.release.oracle import cells, reduced, table, verdict
from tests.release.oracle.cells import Cell
from tests.release.oracle.clouds import Clouds
from tests.release.oracle.run import run

FULL = os.environ.get("NOVA_VHARD_ORACLE") == "full"
CELLS = cells.matrix() if FULL else reduced.cells()

pytestmark = services.needs_threads(
    "a cloud that lives longer than a test, and its live migrations"
)


@pytest.fixture(scope="module", name="clouds")
def _clouds() -> Iterator[Clouds]:
    made = Clouds()
    yield made
    made.close()


def _group(cell: Cell) -> str:
    return cell.operation if FULL else "all"


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(
            cell, id=str(cell), marks=pytest.mark.xdist_group(_group(cell))
        )
        for cell in CELLS
    ],
)
def test_cell(clouds, cell, record_property):
    result = run(clouds.named(_group(cell)), cell)
    record_property(table.CELL, str(cell))
    record_property(table.OUTCOME, result.outcome)
    record_property(table.REASON, result.reason)
    assert result.outcome not in verdict.RED, result
    if result.outcome == verdict.NO_CASE:
        assert cells.refused_by_nova(cell), result
