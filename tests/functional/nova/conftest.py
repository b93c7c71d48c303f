# SPDX-License-Identifier: Apache-2.0
"""Nova and Placement in the test process."""

import importlib.util
from pathlib import Path

import pytest

from tests import services

services.choose_threads(services=True)

MISSING = [
    name
    for name in ("nova", "placement")
    if importlib.util.find_spec(name) is None
]


class SkippedModule(pytest.Module):
    """Stands for a test module that could not be imported here."""

    def collect(self) -> list[pytest.Item]:
        pytest.skip(f"not installed: {', '.join(MISSING)}")


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    """Skip by name what cannot be imported without Nova and Placement."""
    if MISSING:
        return SkippedModule.from_parent(parent, path=module_path)
    return None
