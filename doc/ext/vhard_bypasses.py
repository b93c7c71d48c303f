# SPDX-License-Identifier: Apache-2.0
"""Write the table of every known way round the gates."""

import sys
from collections.abc import Iterator
from pathlib import Path

from vhard_rst import literals, plain, table

# Sphinx does not have the checkout in its path.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.functional.bypass.table import BYPASSES, Bypass


def bypasses() -> str:
    """Return all rows: what is tried, what closes it, and its tests."""
    head = ("", "What somebody does", "What closes it", "Tests")
    rows = (
        (
            str(bypass.number),
            plain(bypass.path),
            _closed(bypass),
            _tests(bypass),
        )
        for bypass in BYPASSES
    )
    return table(head, rows, (4, 36, 32, 28))


def _closed(bypass: Bypass) -> str:
    return ". ".join(_closures(bypass)) + "."


def _closures(bypass: Bypass) -> Iterator[str]:
    if bypass.gates:
        yield literals(bypass.gates)
    else:
        yield "No gate"
    if bypass.instead:
        yield plain(bypass.instead)


def _tests(bypass: Bypass) -> str:
    if bypass.tests:
        return literals(bypass.tests)
    return f"None: {plain(bypass.untested)}"
