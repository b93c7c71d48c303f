# SPDX-License-Identifier: Apache-2.0
"""What README and quick start show, run on the demo's services."""

import sys
from pathlib import Path

# The demo is a tool of its own: tools/demo.sh.
sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))
