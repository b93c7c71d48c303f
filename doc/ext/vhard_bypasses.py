# SPDX-License-Identifier: Apache-2.0
"""Write the table of every known way round the gates."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from vhard_rst import literals, plain, table

# Sphinx does not have the checkout in its path.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.functional.bypass.table import BYPASSES, Bypass

SETUPS = Path(__file__).parents[2] / "tests/release/bypass/setups.yaml"


def bypasses() -> str:
    """Return all rows: the attempt, the gate that refuses it, and its tests.

    Two columns show whether one gate alone refuses it, from the results of
    ``tox -e gates``.
    """
    kept = yaml.safe_load(SETUPS.read_text("utf-8"))
    head = (
        *("", "What somebody does", "What closes it"),
        *("Filter alone", "API gate alone", "Tests"),
    )
    rows = (
        (
            str(bypass.number),
            plain(bypass.path),
            _closed(bypass),
            *(_alone(kept, gate, bypass) for gate in ("filter", "api")),
            _tests(bypass),
        )
        for bypass in BYPASSES
    )
    return table(head, rows, (4, 32, 28, 8, 8, 20))


def _alone(kept: dict[str, Any], gate: str, bypass: Bypass) -> str:
    """Return "closed" or "open", or "" if the gate judges no such request."""
    found = kept.get(gate, {})
    return "".join(
        name for name, rows in found.items() if bypass.number in rows
    )


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
