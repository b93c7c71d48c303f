# SPDX-License-Identifier: Apache-2.0
"""Keylime, a Placement in a process of its own, and a table at the end."""

#: Rows of the table: scenario and what came of it.
ROWS: list[tuple[str, str]] = []


def pytest_terminal_summary(terminalreporter):
    """Print the table."""
    for name, text in ROWS:
        terminalreporter.write_line(f"{name:45} {text}")
