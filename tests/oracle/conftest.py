# SPDX-License-Identifier: Apache-2.0
"""Nova and Placement in the test process: the same set-up as their tests."""

from pathlib import Path

import pytest

from tests.functional.nova.conftest import (  # noqa: F401 - hooks of pytest
    pytest_pycollect_makemodule,
)
from tests.oracle.table import pytest_terminal_summary  # noqa: F401


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this directory: it needs Nova itself."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.services)
