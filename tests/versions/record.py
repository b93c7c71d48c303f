# SPDX-License-Identifier: Apache-2.0
"""A plugin of pytest's: what a run was, added to a row of the table.

``-p tests.versions.record`` with NOVA_VHARD_ROW, the file with the row;
without it nothing is written.  When a row is whole is in __main__.py.
"""

import collections
import datetime
import importlib.metadata as metadata
import json
import os
import platform
from pathlib import Path
from typing import Any

import pytest

_ROW = "NOVA_VHARD_ROW"
_SERVICES = ("nova", "glance", "openstack-placement")


class Outcomes:
    """Counter of test outcomes.

    :ivar skipped: reason to the names of the tests
    """

    def __init__(self) -> None:
        self.passed = 0
        self.failed: set[str] = set()
        self.skipped: dict[str, list[str]] = collections.defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.pytest_collectreport(report)
        self.passed += report.when == "call" and report.passed

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.skipped:
            reason = str(report.longrepr[2]).removeprefix("Skipped: ")
            self.skipped[reason].append(report.nodeid)

    def pytest_sessionfinish(
        self, session: pytest.Session, exitstatus: int
    ) -> None:
        """Write the row, unless the run was broken off."""
        if exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
        ):
            row = Path(os.environ[_ROW])
            before = json.loads(row.read_text()) if row.exists() else {}
            row.write_text(json.dumps(self._row(before)))

    def _row(self, before: dict[str, Any]) -> dict[str, Any]:
        for reason, names in before.get("skipped", {}).items():
            self.skipped[reason] = [*names, *self.skipped[reason]]
        return {
            "suites": before.get("suites", 0) + 1,
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in _SERVICES},
            "passed": before.get("passed", 0) + self.passed,
            "failed": [*before.get("failed", ()), *sorted(self.failed)],
            "skipped": self.skipped,
            "day": str(datetime.datetime.now(datetime.UTC).date()),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, "
            f"{platform.freedesktop_os_release()['PRETTY_NAME']}",
        }


def pytest_configure(config: pytest.Config) -> None:
    """Count where the row is made: not in the processes of xdist."""
    if os.environ.get(_ROW) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes())
