# SPDX-License-Identifier: Apache-2.0
"""Pytest plugin that records which nova_vhard modules are loaded."""

import json
import os
import pathlib
import sys

#: Names the file.
VARIABLE = "NOVA_VHARD_LOADED"


def pytest_sessionfinish() -> None:
    """Write the names of the modules, as a JSON list."""
    loaded = [name for name in sys.modules if name.startswith("nova_vhard.")]
    pathlib.Path(os.environ[VARIABLE]).write_text(json.dumps(loaded))
