# SPDX-License-Identifier: Apache-2.0
"""Run a benchmark; see ``common``.

python -m tests.benchmarks MODULE [--check] [--save FILE] [--quick]
"""

import os
import sys
from importlib import import_module

from tests.benchmarks import common

# As in Nova's services 33 and later; must precede any import of Nova.
os.environ.setdefault("OS_NOVA_DISABLE_EVENTLET_PATCHING", "1")

sys.exit(common.main(import_module(sys.argv[1]), sys.argv[2:]))
