# SPDX-License-Identifier: Apache-2.0
"""Tests on a cloud of real processes: ``tox -e integration``."""

import sys
from pathlib import Path

# The cloud is a tool of its own: tools/cloud.sh.
sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
