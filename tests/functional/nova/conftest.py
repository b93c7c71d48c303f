# SPDX-License-Identifier: Apache-2.0
"""Nova and Placement in the test process, on native threads."""

import contextlib
import importlib.util
import os
from pathlib import Path

import pytest

# Nova chooses its threading model when this package is first imported, and
# wants to do so before anything else looks for eventlet.
os.environ.setdefault("OS_NOVA_DISABLE_EVENTLET_PATCHING", "1")
with contextlib.suppress(ImportError):
    import nova.tests.functional  # noqa: F401

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this directory: it needs Nova itself."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.services)
