# SPDX-License-Identifier: Apache-2.0
"""Nova and Placement in the test process: the same set-up as their tests."""

from tests.release.oracle.table import pytest_terminal_summary  # noqa: F401
