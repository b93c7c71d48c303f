# SPDX-License-Identifier: Apache-2.0
"""The packages that run inside Nova and Glance, and their few imports."""

import ast
import configparser
import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nova_vhard

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
    ("glance", "nova", "oslo_db", "oslo_messaging", "paste", "taskflow")
)


def imported(paths, beside):
    """Return the distributions of others that modules import.

    :param beside: packages that do not count
    """
    nodes = (
        n for path in paths for n in ast.walk(ast.parse(path.read_text()))
    )
    packages = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            packages |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            packages.add(node.module.partition(".")[0])
    packages -= sys.stdlib_module_names | {"nova_vhard"} | beside
    of_package = importlib.metadata.packages_distributions()
    return {each.lower() for name in packages for each in of_package[name]}


def required(text):
    """Return the distributions of a list of requirements."""
    return {
        each.lower() for each in re.findall(r"^[A-Za-z0-9._-]+", text, re.M)
    }


CORE = required((ROOT / "requirements.txt").read_text())


def loaded(names):
    """Return the files of ours that a new process loads for modules."""
    code = (
        "import importlib, json, pkgutil, sys\n"
        f"for name in {names!r}:\n"
        "    package = importlib.import_module(name)\n"
        "    paths = getattr(package, '__path__', [])\n"
        "    for each in pkgutil.walk_packages(paths, name + '.'):\n"
        "        importlib.import_module(each.name)\n"
        "print(json.dumps([module.__file__ for name, module"
        " in sys.modules.items() if name.startswith('nova_vhard.')]))\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return [Path(each) for each in json.loads(ended.stdout.splitlines()[-1])]


def test_every_gate_loads_nothing_of_the_client_or_the_node():
    paths = loaded(["nova_vhard.gates"])
    rooms = {path.relative_to(PACKAGE).parts[0] for path in paths}
    assert rooms <= ROOMS
    gates = {*(PACKAGE / "gates").glob("*.py")}
    assert gates < set(paths)


def test_requirements_are_what_the_closed_set_imports():
    paths = (path for room in ROOMS for path in (PACKAGE / room).rglob("*.py"))
    assert imported(paths, OF_THE_SERVICE) == CORE


@pytest.mark.parametrize("extra", ["attestor", "cleaner", "exporter", "guard"])
def test_an_extra_is_what_its_program_imports(extra):
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg")
    paths = loaded([f"nova_vhard.cmd.{extra}", f"nova_vhard.{extra}"])
    found = imported(paths, {"libvirt"})
    assert found - CORE == required(setup["options.extras_require"][extra])


#: What a gate sets that is not an attribute of its own: a request or answer
#: that it has made itself, an event, a part of its own.
OURS = frozenset(
    (
        "event.verdict",
        "request.body",
        "undo.content_type",
        "undo.json_body",
        "self._posture.keys",
        "self._twin.applications",
    )
)
#: Ways to set an attribute, and into a closure, without saying its name.
BEHIND = frozenset(
    (
        *("setattr", "delattr", "__setattr__", "vars", "__dict__"),
        *("__closure__", "cell_contents", "co_freevars", "__code__"),
        *("__wrapped__", "__globals__", "__defaults__", "__kwdefaults__"),
    )
)


def replaced(source):
    """Yield the foreign attributes that a module sets or opens.

    :param source: source code of the module
    """
    for node in ast.walk(ast.parse(source)):
        name = getattr(node, "attr", getattr(node, "id", ""))
        if name in BEHIND:
            yield name
        if not isinstance(node, ast.Attribute):
            continue
        whole = ast.unparse(node)
        own = whole == f"self.{name}" or whole in OURS
        if not own and not isinstance(node.ctx, ast.Load):
            yield whole


def test_nothing_of_nova_or_glance_is_replaced():
    paths = [*(PACKAGE / "gates").rglob("*.py")]
    assert paths
    found = {path.name: [*replaced(path.read_text())] for path in paths}
    assert {name: each for name, each in found.items() if each} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("controller.compute_api.image_api = ours", 1),
        ("self._controller.image_api = ours", 1),
        ("del repository.save", 1),
        ("repository.save += 1", 1),
        ("(a, images.get), b = two", 1),
        ("for controller.api in all: pass", 1),
        ("setattr(controller, 'api', ours)", 1),
        ("object.__setattr__(controller, 'api', ours)", 1),
        ("vars(controller)['api'] = ours", 1),
        ("controller.__dict__.update(api=ours)", 1),
        ("function.__closure__[0].cell_contents", 2),
        ("self._image_api = image_api", 0),
        ("self._services.volumes.get(context, volume)", 0),
    ],
)
def test_what_would_be_found(source, found):
    assert len([*replaced(source)]) == found
