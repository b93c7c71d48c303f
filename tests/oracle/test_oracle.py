# SPDX-License-Identifier: Apache-2.0
"""Each cell of the matrix is green: judged, refused, or none of Nova's.

``NOVA_VHARD_ORACLE=full``, as ``tox -e oracle`` sets it, is for every cell,
with a cloud an operation; otherwise a few cells stand for all, in one.
"""

import os
from collections.abc import Iterator

import pytest

from tests import services
from tests.oracle import cells, reduced, table, verdict
from tests.oracle import cloud as clouds
from tests.oracle.cells import Cell
from tests.oracle.run import run

FULL = os.environ.get("NOVA_VHARD_ORACLE") == "full"

pytestmark = services.needs_threads(
    "a cloud that lives longer than a test, and its live migrations"
)


def _tried(cell: Cell) -> object:
    name = cell.operation if FULL else "all"
    group = pytest.mark.xdist_group(name)
    return pytest.param(name, cell, id=str(cell), marks=group)


@pytest.fixture(scope="module")
def cloud(request: pytest.FixtureRequest) -> Iterator[clouds.Cloud]:
    """Return the cloud of an operation, or of all."""
    made = clouds.Cloud("runTest")
    made.setUp()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("cloud", "cell"),
    [_tried(cell) for cell in (cells.matrix() if FULL else reduced.cells())],
    indirect=["cloud"],
)
def test_cell(cloud, cell, record_property):
    found = run(cloud, cell)
    record_property(table.CELL, str(cell))
    record_property(table.OUTCOME, found.outcome)
    record_property(table.REASON, found.reason)
    assert found.outcome not in verdict.RED, found
