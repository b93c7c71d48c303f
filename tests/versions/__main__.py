# SPDX-License-Identifier: Apache-2.0
"""python -m tests.versions [ENV ...]: the tests on each release.

Run tox in one environment for each release and Python, one after the other,
and rewrite the table after each.  The exit status is 1 if a test failed or an
environment did not complete.  If environments are named, only these are run;
the others keep the rows of their last run.
"""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.list_table import list_table

ENVIRONMENTS = (
    "py311-nova31",
    "py311-nova32",
    "py311-nova33",
    "py311-nova34",
    "py313-nova34",
)

_TABLE = Path("doc/source/contributor/versions.inc")
_ROWS = Path(".cache/versions")


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
            parts.append(
                _ITEMS.fill(f"{reason}: {_names(sorted(tests))}") + "\n"
            )
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


def main(wanted: list[str]) -> int:
    """Run the environments; return the status to end with."""
    rows = {name: _ROWS / f"{name}.json" for name in ENVIRONMENTS}
    wanted = wanted or list(rows)
    _ROWS.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        rows[name].unlink(missing_ok=True)
    bad = []
    for name in wanted:
        print(f"-- {name}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", "tox", "run", "-e", name],
            env={**os.environ, "NOVA_VHARD_ROW": str(rows[name].resolve())},
            check=False,
        )
        ended = {name: _row(path) for name, path in rows.items()}
        _TABLE.write_text(table(ended))
        if done.returncode or not ended[name]:
            bad.append(name)
    print(f"Failed: {', '.join(bad) or 'none'}: {_TABLE}")
    return 1 if bad else 0


def _row(path: Path) -> dict[str, Any] | None:
    """Return the row of a run that came to its end."""
    row = json.loads(path.read_text()) if path.exists() else {}
    return row if row.get("suites") == SUITES else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
