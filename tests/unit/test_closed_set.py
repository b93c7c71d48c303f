# SPDX-License-Identifier: Apache-2.0
"""What runs inside Nova and Glance is a closed set, and needs little."""

import ast
import importlib.metadata
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import nova_vhard
from nova_vhard import gates

PACKAGE = Path(nova_vhard.__file__).parent
ROOT = PACKAGE.parent
ROOMS = frozenset(
    (
        "catalogue",
        "common",
        "conf",
        "explain",
        "gates",
        "placement",
        "policy",
        "request",
    )
)
#: What a gate imports of the service that it is in, or that comes with it.
OF_THE_SERVICE = frozenset(
    ("glance", "nova", "oslo_messaging", "paste", "taskflow")
)


def imported():
    """Return the packages of others that the closed set imports."""
    names = set()
    for room in ROOMS:
        for path in (PACKAGE / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    names |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names.add(node.module)
    packages = {name.partition(".")[0] for name in names}
    return packages - sys.stdlib_module_names - {"nova_vhard"}


def required():
    """Return the distributions of requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    result = (re.match(r"[A-Za-z0-9._-]+", line) for line in lines)
    return {match[0].lower() for match in result if match}


def test_every_gate_loads_nothing_of_the_client_or_the_node():
    names = [
        f"nova_vhard.gates.{module.name}"
        for module in pkgutil.iter_modules(gates.__path__)
    ]
    code = (
        "import importlib, json, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "print(json.dumps([name for name in sys.modules"
        " if name.startswith('nova_vhard.')]))\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = json.loads(ended.stdout.splitlines()[-1])
    assert len(loaded) > len(names)
    assert {name.split(".")[1] for name in loaded} <= ROOMS


def test_requirements_are_what_the_closed_set_imports():
    of_package = importlib.metadata.packages_distributions()
    needed = {
        distribution.lower()
        for package in imported() - OF_THE_SERVICE
        for distribution in of_package[package]
    }
    # pbr is read by setup.py alone
    assert needed | {"pbr"} == required()
