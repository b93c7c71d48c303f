# SPDX-License-Identifier: Apache-2.0
"""Keylime, a Placement in a process of its own, and a table at the end."""

import os
import pathlib

import pytest

HERE = pathlib.Path(__file__).parent
#: Rows of the table: scenario and what came of it.
ROWS: list[tuple[str, str]] = []


def pytest_collection_modifyitems(items):
    """Skip what is in this directory, unless it is asked for."""
    if os.environ.get("NOVA_VHARD_ATTESTATION"):
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="tox -e attestation"))


def pytest_terminal_summary(terminalreporter):
    """Print the table."""
    for name, text in ROWS:
        terminalreporter.write_line(f"{name:45} {text}")
