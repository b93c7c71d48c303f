# SPDX-License-Identifier: Apache-2.0
"""The table of cells at the end of a run."""

from collections import Counter
from typing import Any

CELL, OUTCOME, REASON = "oracle_cell", "oracle_outcome", "oracle_reason"
WIDTH = 200


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print each cell with its outcome, and how many there are of each."""
    rows = sorted(_rows(terminalreporter))
    if not rows:
        return
    terminalreporter.section("oracle")
    for outcome, cell, reason in rows:
        line = f"{outcome:<11} {cell:<44} {' '.join(reason.split())}"
        terminalreporter.write_line(line[:WIDTH].rstrip())
    counts = Counter(outcome for outcome, _, _ in rows)
    total = ", ".join(f"{counts[name]} {name}" for name in sorted(counts))
    terminalreporter.write_line(f"{len(rows)} cells: {total}")


def _rows(reporter: Any) -> list[tuple[str, str, str]]:
    result = []
    for reports in reporter.stats.values():
        for report in reports:
            properties = dict(getattr(report, "user_properties", ()))
            if CELL in properties and report.when == "call":
                result.append(
                    (
                        properties[OUTCOME],
                        properties[CELL],
                        properties[REASON],
                    )
                )
    return result
