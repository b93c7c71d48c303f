# SPDX-License-Identifier: Apache-2.0
"""The table of the versions, of the rows that runs have left."""

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from tests.list_table import list_table

Row = Mapping[str, Any]

#: How many runs of pytest make a row: see commands in tox.ini.
SUITES = 2

_COLUMNS = (
    "Nova",
    "Glance",
    "Placement",
    "Python",
    "Passed",
    "Failed",
    "Skipped",
    "Day",
)

_HEAD = ".. Written by ``tox -e versions``; do not edit.\n\n"


def table(rows: Mapping[str, Row | None]) -> str:
    """Return the text of the page's part.

    :param rows: environment of tox to its row; None where it did not run to
        its end
    """
    empty = [""] * (len(_COLUMNS) - 1)
    cells = [
        _cells(row) if row else (f"{name}: not run to its end", *empty)
        for name, row in rows.items()
    ]
    parts = [_HEAD, list_table([_COLUMNS, *cells])]
    ran = {name: row for name, row in rows.items() if row}
    for machine in sorted({str(row["machine"]) for row in ran.values()}):
        parts.append(f"\nRun on: {machine}.\n")
    for name, row in ran.items():
        failed, skipped = row["failed"], row["skipped"]
        if failed:
            parts.append(f"\nFailed in ``{name}``:\n\n")
            parts += [f"- {_names([test])}\n" for test in failed]
        if skipped:
            parts.append(f"\nSkipped in ``{name}``:\n\n")
        for reason, tests in sorted(skipped.items()):
            text = f"{reason}: {_names(sorted(tests))}"
            parts.append(_ITEMS.fill(text) + "\n")
    return "".join(parts)


#: Items of a list, in lines that docutils takes.
_ITEMS = textwrap.TextWrapper(
    79,
    initial_indent="- ",
    subsequent_indent="  ",
    break_long_words=False,
    break_on_hyphens=False,
)


def _cells(row: Row) -> tuple[str, ...]:
    skipped = sum(len(names) for names in row["skipped"].values())
    return (
        row["nova"],
        row["glance"],
        row["openstack-placement"],
        row["python"],
        f"{row['passed']:,}",
        f"{len(row['failed']):,}",
        f"{skipped:,}",
        row["day"],
    )


def _names(tests: Iterable[str]) -> str:
    return ", ".join(f"``{test.removeprefix('tests/')}``" for test in tests)
