# SPDX-License-Identifier: Apache-2.0
"""The table of ways round is whole: every row has its tests, or a reason."""

import importlib
import pkgutil
import re

import pytest

from nova_vhard.catalogue import gates
from tests.functional import bypass as folder
from tests.functional.bypass.table import BYPASSES, FLAVOR_WRITES, Bypass

ROWS = 37
#: The name of the test of a row.
TEST = r"test_bypass_\d\d_"
GATES = {*gates.GATES, FLAVOR_WRITES}
by_number = pytest.mark.parametrize(
    "bypass", BYPASSES, ids=[str(bypass.number) for bypass in BYPASSES]
)


def found() -> list[str]:
    """Return the names of all tests of rows in this folder."""
    names: set[str] = set()
    for each in pkgutil.walk_packages(folder.__path__, f"{folder.__name__}."):
        if ".test_bypass_" in each.name:
            module = importlib.import_module(each.name)
            names.update(vars(module))
            for name, case in vars(module).items():
                names.update(dir(case) if name.startswith("Test") else ())
    return sorted(name for name in names if re.match(TEST, name))


FOUND = found()


def test_the_rows_are_numbered_without_a_gap() -> None:
    """No test has the number of a missing row."""
    assert [bypass.number for bypass in BYPASSES] == [*range(1, ROWS + 1)]
    assert {int(name[12:14]) for name in FOUND} <= {*range(1, ROWS + 1)}


@by_number
def test_a_row_names_all_its_tests(bypass: Bypass) -> None:
    """A row without tests gives the reason. Each row names its remedy."""
    prefix = f"test_bypass_{bypass.number:02}_"
    assert sorted(bypass.tests) == [
        name for name in FOUND if name.startswith(prefix)
    ]
    assert bool(bypass.tests) != bool(bypass.untested)
    assert bypass.gates or bypass.instead
    assert set(bypass.gates) <= GATES
