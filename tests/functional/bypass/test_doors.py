# SPDX-License-Identifier: Apache-2.0
"""The table of ways round is whole: every row has its tests, or a reason."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_vhard.catalogue import doors
from nova_vhard.catalogue.doors import DOORS, Door

ROWS = 35
GATES = {
    doors.GLANCE_API,
    doors.GLANCE_IMPORT,
    doors.NOVA_API,
    doors.SCHEDULER,
    doors.FLAVOR_WRITES,
}
by_number = pytest.mark.parametrize(
    "door", DOORS, ids=[str(one.number) for one in DOORS]
)


def functions() -> Iterator[str]:
    """Yield the names of all tests of rows in this directory."""
    for path in Path(__file__).parent.rglob("test_bypass_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and re.match(
                r"test_bypass_\d\d_", node.name
            ):
                yield node.name


FOUND = sorted(set(functions()))


def test_the_rows_are_numbered_without_a_gap() -> None:
    assert [one.number for one in DOORS] == [*range(1, ROWS + 1)]


@by_number
def test_a_row_names_every_test_of_its_own(door: Door) -> None:
    prefix = f"test_bypass_{door.number:02}_"
    assert sorted(door.tests) == [
        name for name in FOUND if name.startswith(prefix)
    ]


@by_number
def test_a_row_has_tests_or_a_reason(door: Door) -> None:
    assert bool(door.tests) != bool(door.untested)


@by_number
def test_a_row_is_closed_by_a_gate_or_in_words(door: Door) -> None:
    assert door.gates or door.instead
    assert set(door.gates) <= GATES


def test_no_test_belongs_to_a_row_that_is_not_there() -> None:
    named = {name for door in DOORS for name in door.tests}
    assert [name for name in FOUND if name not in named] == []
