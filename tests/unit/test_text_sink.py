# SPDX-License-Identifier: Apache-2.0
"""Every text for users passes the sink, including those of new modules.

Log records pass ``nova_vhard.common.log``. The output of commands passes
``nova_vhard.osc.output`` and ``nova_vhard.common.terminal``. Answers pass
``nova_vhard.explain.messages`` or ``nova_vhard.common.text``. There is no
other output.
"""

import ast
import pathlib
import re
from collections.abc import Iterator

import pytest

import nova_vhard

ROOT = pathlib.Path(nova_vhard.__file__).parent
SINKS = (
    "osc/output.py",
    "common/terminal.py",
    "common/log.py",
    # Stands alone on a host: what it passes on, the daemon has cleaned.
    "guard/hook.py",
)

#: What a module takes of logging, beside a logger; the rest would go around.
_OF_LOGGING = ("DEBUG", "INFO", "WARNING", "ERROR")
LOGGER = "nova_vhard.common.log.get_logger"
#: What sets up the logs of a program.
_SETUP = {
    "cmd/daemon.py": (
        "from oslo_log import log as logging",
        "logging.register_options",
        "logging.setup",
    ),
}
#: Where a text leaves in an answer or a fault.
_KEYWORDS = frozenset(("body", "detail", "explanation", "reason", "text"))
_RAISED = frozenset(("NoValidHost", "UploadException"))
_CLEANED = frozenset(
    (
        "api_message",
        "clean",
        "describe",
        "explanation",  # of gates/enforcer.py: an api_message
        "fault_message",
        "refusal",  # of gates/enforcer.py likewise
        "fault_text",
        "line",
        "quote",
        "report_fault",
    )
)


def faults(name: str, tree: ast.Module) -> Iterator[str]:
    """Yield what goes around the sink.

    :param name: path of the module in the package
    """
    for node in ast.walk(tree):
        fault = _around(name, ast.unparse(node), node)
        if fault and name not in SINKS:
            yield f"{name}:{node.lineno}: {fault}"
    if name.startswith("gates/"):
        for scope in ast.walk(tree):
            if isinstance(scope, ast.FunctionDef):
                yield from (
                    f"{name}:{each.lineno}: {ast.unparse(each)} is not clean"
                    for each in _answers(scope)
                )


#: Statements and attributes that go around the sink, and what to use.
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


def _around(name: str, text: str, node: ast.AST) -> str | None:
    """Return what to use in place of a node; None for a good one."""
    for kind, pattern, instead in _AROUND:
        if isinstance(node, kind) and re.match(pattern, text):
            setup = instead == LOGGER and text in _SETUP.get(name, ())
            return None if setup else f"use {instead}"
    return None


def _answers(scope: ast.FunctionDef) -> Iterator[ast.expr]:
    """Yield the texts of answers in a function that are not clean."""
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
    """Yield what is the text of an answer, or of a fault of a server."""
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
    if isinstance(text, ast.JoinedStr):
        return all(
            _is_clean(each.value, known)
            for each in text.values
            if isinstance(each, ast.FormattedValue)
        )
    if isinstance(text, ast.IfExp):
        return _is_clean(text.body, known) and _is_clean(text.orelse, known)
    name = ast.unparse(text).rpartition(".")[2]
    if name in known:
        rest = {each: value for each, value in known.items() if each != name}
        return all(_is_clean(each, rest) for each in known[name])
    # a constant of ours
    return name.isupper()


MODULES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: str(path.relative_to(ROOT))
)
def test_nothing_goes_around_the_sink(path):
    name = path.relative_to(ROOT).as_posix()
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
