# SPDX-License-Identifier: Apache-2.0
"""The plugin in Horizon, on a cloud of real processes: tox -e dashboard."""

import sys
from pathlib import Path

# The cloud is a tool of its own: tools/cloud.sh.
sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
