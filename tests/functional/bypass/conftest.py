# SPDX-License-Identifier: Apache-2.0
"""Nova's test setup, and one directory below it Glance's.

If NOVA_VHARD_GATES is set, the rows are tested with the gates that it names.
The results are written to setups.yaml, for the documentation of the gates.
"""

import os
import re
from pathlib import Path

import pytest
import yaml

from tests.functional.nova.conftest import (  # noqa: F401 - hooks of pytest
    pytest_pycollect_makemodule,
)

SETUPS = Path(__file__).with_name("setups.yaml")
#: A row, tried in a cloud with gates.
TRY = re.compile(r"bypass/test_.*::TestGuarded\w*::test_bypass_(\d+)")
_closed: dict[int, bool] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Record whether a row is closed, that is, whether all its tests pass."""
    found = TRY.search(report.nodeid)
    if found and not report.skipped:
        row = int(found[1])
        _closed[row] = _closed.get(row, True) and report.passed


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the results, in the process to which all others report."""
    setup = os.environ.get("NOVA_VHARD_GATES")
    if setup and _closed and not hasattr(session.config, "workerinput"):
        kept = yaml.safe_load(SETUPS.read_text("utf-8"))
        closed = [row for row in sorted(_closed) if _closed[row]]
        left = [row for row in sorted(_closed) if not _closed[row]]
        kept[setup] = {"closed": closed, "open": left}
        head = "# Written by tox -e gates: rows by the gates that stand.\n"
        text = yaml.safe_dump(kept, default_flow_style=None, width=79)
        SETUPS.write_text(head + text, "utf-8")
