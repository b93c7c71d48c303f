# SPDX-License-Identifier: Apache-2.0
"""The same gates as those that are fuzzed, and the real Placement."""

from pathlib import Path

import pytest

from tests.functional.nova.conftest import (  # noqa: F401 - hooks of pytest
    pytest_pycollect_makemodule,
)
from tests.functional.placement.conftest import cloud  # noqa: F401
from tests.fuzz.conftest import policy_file  # noqa: F401


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this directory: it needs the services' own code."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.services)
