# SPDX-License-Identifier: Apache-2.0
"""A plugin of pytest that writes down which modules of ours are loaded."""

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
