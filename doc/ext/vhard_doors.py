# SPDX-License-Identifier: Apache-2.0
"""Write the table of every known way round the gates."""

from collections.abc import Iterator

from vhard_rst import literals, plain, table

from nova_vhard.catalogue.doors import DOORS, Door


def doors() -> str:
    """Return all rows: what is tried, what closes it, and its tests."""
    head = ("", "What somebody does", "What closes it", "Tests")
    rows = (
        (str(one.number), plain(one.path), _closed(one), _tests(one))
        for one in DOORS
    )
    return table(head, rows, (4, 36, 32, 28))


def _closed(door: Door) -> str:
    return ". ".join(_said(door)) + "."


def _said(door: Door) -> Iterator[str]:
    if door.gates:
        yield literals(door.gates)
    else:
        yield "No gate"
    if door.instead:
        yield plain(door.instead)


def _tests(door: Door) -> str:
    if door.tests:
        return literals(door.tests)
    return f"None: {plain(door.untested)}"
