# SPDX-License-Identifier: Apache-2.0
"""Nova, and one directory below Glance: the same set-up as for their tests.

With NOVA_VHARD_GATES the rows are tried with the gates that it names, and
what came of them is written into setups.yaml, for the page of the gates.
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
    """Note whether a row is closed: if each of its tests passes."""
    found = TRY.search(report.nodeid)
    if found and not report.skipped:
        row = int(found[1])
        _closed[row] = _closed.get(row, True) and report.passed


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write what came of the rows, where all processes report to."""
    setup = os.environ.get("NOVA_VHARD_GATES")
    if setup and _closed and not hasattr(session.config, "workerinput"):
        kept = yaml.safe_load(SETUPS.read_text("utf-8"))
        closed = [row for row in sorted(_closed) if _closed[row]]
        left = [row for row in sorted(_closed) if not _closed[row]]
        kept[setup] = {"closed": closed, "open": left}
        head = "# Written by tox -e gates: rows by the gates that stand.\n"
        text = yaml.safe_dump(kept, default_flow_style=None, width=79)
        SETUPS.write_text(head + text, "utf-8")
