# SPDX-License-Identifier: Apache-2.0
"""Rules for our code: allowed imports, and sanitized text for users."""

import ast
import configparser
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nova_vhard
from tests import house

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


def run(code):
    """Run code in a new process, and return the last line of its output."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.check_output(command, text=True).splitlines()[-1]


#: Print the files of our package that an import of modules loads.
LOADED = """
import importlib, pkgutil, sys
for name in {}:
    package = importlib.import_module(name)
    paths = getattr(package, "__path__", [])
    for each in pkgutil.walk_packages(paths, name + "."):
        importlib.import_module(each.name)
ours = [each for each in sys.modules if each.startswith("nova_vhard.")]
print(*(sys.modules[each].__file__ for each in ours))
"""


def test_horizons_plugin_needs_nothing_of_the_client():
    """Newer Horizon releases do not install the libraries of the commands."""
    names = set()
    for path in (ROOT / "nova_vhard_dashboard").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                names |= {f"{node.module}.{item.name}" for item in node.names}
    taken = sorted(name for name in names if name.startswith("nova_vhard."))
    code = (
        "import importlib, sys\n"
        "sys.modules.update(dict.fromkeys(('cliff', 'jinja2', 'openstack', "
        "'osc_lib')))\n"
        f"for name in {taken!r}:\n"
        "    package, _, last = name.rpartition('.')\n"
        "    if hasattr(importlib.import_module(package), last): continue\n"
        "    importlib.import_module(name)\n"
        "print('nova_vhard.osc.decision.counts' in sys.modules)\n"
    )
    assert run(code) == "True"


def test_every_gate_imports_nothing_of_the_client_or_the_node():
    paths = {*house.imported_by(ROOT, house.GATES)}
    rooms = {path.relative_to(PACKAGE).parts[0] for path in paths}
    assert rooms - {"__init__.py"} <= ROOMS
    assert {*(PACKAGE / "gates").glob("*.py")} < paths


def test_requirements_are_what_the_closed_set_imports():
    paths = (path for room in ROOMS for path in (PACKAGE / room).rglob("*.py"))
    assert imported(paths, OF_THE_SERVICE) == CORE


@pytest.mark.parametrize("extra", ["attestor", "cleaner", "exporter", "guard"])
def test_an_extra_is_what_its_program_imports(extra):
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg")
    paths = run(
        LOADED.format([f"nova_vhard.cmd.{extra}", f"nova_vhard.{extra}"])
    )
    own = imported(map(Path, paths.split()), {"libvirt"}) - CORE
    assert own == required(setup["options.extras_require"][extra])


#: What a gate sets that is not an attribute of its own: a request or answer
#: that it has made itself, an event, a part of its own.
OURS = frozenset(
    (
        "event.verdict",
        "request.body",
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
        if not (whole == f"self.{name}" or whole in OURS) and not isinstance(
            node.ctx, ast.Load
        ):
            yield whole


def test_nothing_of_nova_or_glance_is_replaced():
    paths = [*(PACKAGE / "gates").rglob("*.py")]
    found = {path.name: [*replaced(path.read_text())] for path in paths}
    assert found
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


# All text for users must go through the sinks, even in new modules.

SINKS = (
    "osc/output.py",
    "common/terminal.py",
    "common/log.py",
    # Does not import nova_vhard; the daemon sanitizes the text it passes on.
    "guard/hook.py",
)

#: Names of logging that a module may use; others would bypass the sinks.
_OF_LOGGING = ("DEBUG", "INFO", "WARNING", "ERROR")
LOGGER = "nova_vhard.common.log.get_logger"
#: Statements that set up the logs of a program.
_SETUP = {
    "cmd/daemon.py": (
        "from oslo_log import log as logging",
        "logging.register_options",
        "logging.setup",
    ),
}
#: Arguments and exceptions whose text is in a response or a fault.
_KEYWORDS = frozenset(("body", "detail", "explanation", "reason", "text"))
_RAISED = frozenset(("NoValidHost", "UploadException"))
_CLEANED = frozenset(
    (
        "api_message",
        "clean",
        "describe",
        "explanation",  # of gates/enforcer.py: an api_message
        "fault_message",
        "refusal",  # of gates/enforcer.py: an api_message, too
        "fault_text",
        "line",
        "quote",
        "report_fault",
    )
)


def faults(name: str, tree: ast.Module) -> Iterator[str]:
    """Yield the statements that bypass the sinks.

    :param name: path of the module in the package
    """
    if name not in SINKS:
        for node in ast.walk(tree):
            for kind, pattern, instead in _AROUND:
                text = ast.unparse(node) if isinstance(node, kind) else ""
                setup = text in _SETUP.get(name, ())
                if re.match(pattern, text) and not setup:
                    yield f"{name}:{node.lineno}: use {instead}"
    if name.startswith("gates/"):
        for scope in ast.walk(tree):
            if isinstance(scope, ast.FunctionDef):
                yield from (
                    f"{name}:{each.lineno}: {ast.unparse(each)} is not clean"
                    for each in _answers(scope)
                )


#: Statements and attributes that bypass the sinks, and their replacements.
_AROUND = (
    (ast.Call, r"print\(|warnings\.warn\(", "cli.terminal"),
    (ast.Attribute, r"(.*\.)?std(err|out)\.write$", "cli.terminal"),
    (
        ast.ImportFrom,
        r"from (osc_lib\.command|cliff\.(command|lister|show))",
        "the commands of cli.output",
    ),
    (
        ast.Attribute,
        rf"logging\.(?!({'|'.join(_OF_LOGGING)})$)\w+$",
        LOGGER,
    ),
    (ast.ImportFrom, r"from (logging|oslo_log)\b", LOGGER),
    (ast.Import, r"import (?!logging$).*\b(logging|oslo_log)\b", LOGGER),
)


def _answers(scope: ast.FunctionDef) -> Iterator[ast.expr]:
    """Yield the unsanitized texts of responses in a function."""
    known: dict[str, list[ast.expr]] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign):
            for name in map(ast.unparse, node.targets):
                known.setdefault(name, []).append(node.value)
    for node in ast.walk(scope):
        for text in _texts(node):
            if not _is_clean(text, known):
                yield text


def _texts(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the text of a response, or of a server's fault."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "message":
                yield value
    if not isinstance(node, ast.Call):
        return
    name = ast.unparse(node.func).rpartition(".")[2]
    if name in _RAISED:
        yield from node.args
    if name in _RAISED or name.startswith("HTTP") or name == "Response":
        yield from (
            each.value for each in node.keywords if each.arg in _KEYWORDS
        )


def _is_clean(text: ast.expr, known: dict[str, list[ast.expr]]) -> bool:
    if isinstance(text, ast.Constant):
        return True
    if isinstance(text, ast.Call):
        return ast.unparse(text.func).rpartition(".")[2] in _CLEANED
    if isinstance(text, ast.IfExp):
        return _is_clean(text.body, known) and _is_clean(text.orelse, known)
    if isinstance(text, ast.JoinedStr | ast.FormattedValue):
        parts = ast.iter_child_nodes(text)
        return all(_is_clean(each, known) for each in parts)
    name = ast.unparse(text).rpartition(".")[2]
    if name in known:
        rest = {each: value for each, value in known.items() if each != name}
        return all(_is_clean(each, rest) for each in known[name])
    # one of our constants
    return name.isupper()


@pytest.mark.parametrize(
    "path",
    sorted(PACKAGE.rglob("*.py")),
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_nothing_goes_around_the_sink(path):
    name = path.relative_to(PACKAGE).as_posix()
    assert list(faults(name, ast.parse(path.read_text()))) == []


AROUND = [
    ("x.py", "LOG = logging.getLogger('x')"),
    ("x.py", "logging.error(name)"),
    ("x.py", "logging.root.error(name)"),
    ("x.py", "import logging as log"),
    ("x.py", "from logging import getLogger"),
    ("x.py", "from oslo_log import log"),
    ("x.py", "import oslo_log.log"),
    ("cmd/daemon.py", "LOG = logging.getLogger('x')"),
    ("osc/x.py", "print(name)"),
    ("osc/x.py", "sys.stderr.write(name)"),
    ("osc/x.py", "self.app.stdout.write(name)"),
    ("osc/x.py", "from osc_lib.command import command"),
    ("gates/x.py", "HTTPForbidden(explanation=name)"),
    ("gates/x.py", "webob.exc.HTTPForbidden(explanation=f'{name}')"),
    ("gates/x.py", "NoValidHost(reason=str(error))"),
    ("gates/x.py", "UploadException(f'cannot: {error}')"),
    ("gates/x.py", "body = {'code': code, 'message': name}"),
    ("gates/x.py", "text = f'{name}'; HTTPConflict(explanation=text)"),
    ("gates/x.py", "HTTPConflict(explanation=A if a else name)"),
    (
        "gates/x.py",
        "text = line(name); text = name; HTTPConflict(explanation=text)",
    ),
]
CLEAN = [
    "LOG.log(logging.INFO, name)",
    "HTTPForbidden(explanation=explain.api_message(refusals, subject))",
    "text = line(name); HTTPConflict(explanation=text)",
    "HTTPConflict(explanation=http.NO_POLICY_TEXT)",
    "NoValidHost(reason=f'a {clean(name)}')",
]


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        *((*each, 1) for each in AROUND),
        *(("gates/x.py", each, 0) for each in CLEAN),
    ],
)
def test_what_goes_around_is_found(name, source, found):
    tree = ast.parse(f"def f():\n    {source}")
    assert len(list(faults(name, tree))) == found
