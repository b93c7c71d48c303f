# SPDX-License-Identifier: Apache-2.0
"""What Horizon's plugin takes of the package needs what Horizon brings."""

import ast
import subprocess
import sys

from tests.unit.docs import ROOT

PLUGIN = ROOT / "nova_vhard_dashboard"
#: What the commands need, and newer Horizons do not bring.
NOT_THERE = ("cliff", "jinja2", "openstack", "osc_lib")


def taken():
    """Return the modules of nova_vhard that the plugin imports."""
    names = set()
    for path in PLUGIN.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module}
                names |= {f"{node.module}.{item.name}" for item in node.names}
    return sorted(name for name in names if name.startswith("nova_vhard."))


def test_it_needs_nothing_of_the_client():
    code = (
        "import importlib, importlib.util, sys\n"
        f"sys.modules.update(dict.fromkeys({NOT_THERE!r}))\n"
        f"for name in {taken()!r}:\n"
        "    package, _, last = name.rpartition('.')\n"
        "    if hasattr(importlib.import_module(package), last): continue\n"
        "    importlib.import_module(name)\n"
        "print('nova_vhard.osc.decision.counts' in sys.modules)\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr
