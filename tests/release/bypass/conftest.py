# SPDX-License-Identifier: Apache-2.0
"""The results of test_gates.py, for the documentation of the gates."""

import os
import re
from pathlib import Path

import pytest
import yaml

SETUPS = Path(__file__).with_name("setups.yaml")
#: A row, tried with some gates.
TRY = re.compile(r"/test_gates\.py::\w+::test_bypass_(\d+)")
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
        kept[setup] = {
            "closed": [row for row in sorted(_closed) if _closed[row]],
            "open": [row for row in sorted(_closed) if not _closed[row]],
        }
        text = yaml.safe_dump(kept, default_flow_style=None, width=79)
        SETUPS.write_text(
            "# Written by tox -e gates: rows by the gates that stand.\n"
            + text,
            "utf-8",
        )
