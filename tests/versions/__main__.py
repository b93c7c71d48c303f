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
from pathlib import Path
from typing import Any

from tests.versions.table import SUITES, table

ENVIRONMENTS = (
    "py311-nova31",
    "py311-nova32",
    "py311-nova33",
    "py311-nova34",
    "py313-nova34",
)

_TABLE = Path("doc/source/contributor/versions.inc")
_ROWS = Path(".cache/versions")


def main(wanted: list[str]) -> int:
    """Run the environments; return the status to end with."""
    unknown = set(wanted) - set(ENVIRONMENTS)
    if unknown:
        print(f"{', '.join(sorted(unknown))}: not one of {ENVIRONMENTS}")
        return 2
    wanted = wanted or list(ENVIRONMENTS)
    _ROWS.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        _file(name).unlink(missing_ok=True)
    bad = []
    for name in wanted:
        print(f"-- {name}", flush=True)
        bad += [] if _run(name) else [name]
        _TABLE.write_text(table({each: _row(each) for each in ENVIRONMENTS}))
    print(f"Failed: {', '.join(bad) or 'none'}: {_TABLE}")
    return 1 if bad else 0


def _run(name: str) -> bool:
    """Return True if all tests of an environment passed or were skipped."""
    done = subprocess.run(
        [sys.executable, "-m", "tox", "run", "-e", name],
        env={**os.environ, "NOVA_VHARD_ROW": str(_file(name).resolve())},
        check=False,
    )
    return done.returncode == 0 and _row(name) is not None


def _row(name: str) -> dict[str, Any] | None:
    """Return the row of a run that came to its end."""
    try:
        row = json.loads(_file(name).read_text())
    except FileNotFoundError:
        return None
    return row if row["suites"] == SUITES else None


def _file(name: str) -> Path:
    return _ROWS / f"{name}.json"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
