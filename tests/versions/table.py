# SPDX-License-Identifier: Apache-2.0
"""The table of the versions, of the rows that runs have left."""

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

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

_HEAD = """\
.. Written by ``tox -e versions``; do not edit.

.. list-table::
   :header-rows: 1

"""


def table(rows: Mapping[str, Row | None]) -> str:
    """Return the text of the page's part.

    :param rows: environment of tox to its row; None where it did not run to
        its end
    """
    lines = [_HEAD, _line(_COLUMNS)]
    for name, row in rows.items():
        cells = _cells(row) if row else (f"{name}: not run to its end",)
        lines.append(_line([*cells, *[""] * (len(_COLUMNS) - len(cells))]))
    ran = {name: row for name, row in rows.items() if row}
    for machine in sorted({str(row["machine"]) for row in ran.values()}):
        lines.append(f"\nRun on: {machine}.\n")
    for name, row in ran.items():
        lines += _tests(name, row)
    return "".join(lines)


def _line(cells: Iterable[str]) -> str:
    marks = ("   * -", *["     -"] * len(_COLUMNS))
    return "".join(
        f"{mark} {cell}".rstrip() + "\n"
        for mark, cell in zip(marks, cells, strict=False)
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


def _tests(name: str, row: Row) -> list[str]:
    """Name what failed, and what was skipped with the reason."""
    lines = []
    if row["failed"]:
        lines.append(f"\nFailed in ``{name}``:\n\n")
        lines += [f"- ``{_short(test)}``\n" for test in row["failed"]]
    if row["skipped"]:
        lines.append(f"\nSkipped in ``{name}``:\n\n")
    for reason, tests in sorted(row["skipped"].items()):
        names = ", ".join(f"``{_short(test)}``" for test in sorted(tests))
        lines.append(_item(f"{reason}: {names}"))
    return lines


def _item(text: str) -> str:
    """Return an item of a list, in lines that docutils takes."""
    return (
        textwrap.fill(
            text,
            79,
            initial_indent="- ",
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        + "\n"
    )


def _short(test: str) -> str:
    return test.removeprefix("tests/")
