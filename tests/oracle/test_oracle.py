# SPDX-License-Identifier: Apache-2.0
"""Each cell of the matrix is green: judged, refused, or none of Nova's.

``NOVA_VHARD_ORACLE=full``, as ``tox -e oracle`` sets it, is for every cell;
otherwise a few of them stand for all.
"""

import os
from collections.abc import Iterator

import pytest

from tests import services
from tests.oracle import cells, table, verdict
from tests.oracle.cloud import Cloud
from tests.oracle.run import run

FULL = os.environ.get("NOVA_VHARD_ORACLE") == "full"
CELLS = cells.matrix()

pytestmark = services.needs_threads("live migration of a fake libvirt")


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    made = Cloud("runTest")
    made.setUp()
    yield made
    made.close()


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_cell(cell, cloud, record_property):
    found = run(cloud, cell)
    record_property(table.CELL, str(cell))
    record_property(table.OUTCOME, found.outcome)
    record_property(table.REASON, found.reason)
    assert found.outcome not in verdict.RED, found
