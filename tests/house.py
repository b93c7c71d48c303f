# SPDX-License-Identifier: Apache-2.0
"""Measure the house: rooms, the closed set, functions, docstrings, names.

    python -m tests.house

Lines are those of the files. The closed set is what the gates load, in a
process of its own. Exit status 1: a bar is missed.
"""

import ast
import json
import math
import pkgutil
import re
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import nova_vhard
from nova_vhard import gates

PACKAGE = Path(nova_vhard.__file__).parent
#: Whose names are looked at.
NAMED = tuple(
    PACKAGE.parent / top
    for top in ("nova_vhard", "nova_vhard_dashboard", "tests", "tools")
)
#: What a Nova developer would not name a variable.
BANNED = ("one", "found", "told", "said")
MOST = {"median": 9, "p95": 25, "closed": 8300}

Function = ast.FunctionDef | ast.AsyncFunctionDef

_LOAD = """
import importlib, json, sys
for name in {names!r}: importlib.import_module(name)
ours = [m for n, m in sys.modules.items() if n.partition(".")[0] == {ours!r}]
print(json.dumps(sorted(m.__file__ for m in ours)))
"""


def lines(path: Path) -> int:
    """Return how many lines a file has."""
    return len(path.read_text(encoding="utf-8").splitlines())


def rooms() -> Counter[str]:
    """Return the lines of each room."""
    count: Counter[str] = Counter()
    for path in PACKAGE.rglob("*.py"):
        count[path.relative_to(PACKAGE).parts[0]] += lines(path)
    return count


def loaded() -> list[Path]:
    """Return the modules of ours that the gates load."""
    names = [
        f"{gates.__name__}.{m.name}"
        for m in pkgutil.iter_modules(gates.__path__)
    ]
    code = _LOAD.format(names=names, ours=nova_vhard.__name__)
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    return [Path(name) for name in json.loads(ended.stdout.splitlines()[-1])]


def functions() -> Iterator[Function]:
    """Yield every function of the package."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Function):
                yield node


def public() -> Iterator[ast.AST]:
    """Yield what is public: modules, and classes and functions in them."""
    for path in PACKAGE.rglob("*.py"):
        module = ast.parse(path.read_text(encoding="utf-8"))
        yield module
        yield from _public_in(module)


def _public_in(node: ast.Module | ast.ClassDef) -> Iterator[ast.AST]:
    for child in node.body:
        named = isinstance(child, Function | ast.ClassDef)
        if named and not child.name.startswith("_"):
            yield child
            if isinstance(child, ast.ClassDef):
                yield from _public_in(child)


def banned() -> Counter[str]:
    """Return how often each banned name is a variable's or a function's."""
    pattern = re.compile(rf"\b({'|'.join(BANNED)})\b")
    count: Counter[str] = Counter(dict.fromkeys(BANNED, 0))
    for path in (path for top in NAMED for path in top.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for field in ("id", "arg", "name"):
                name = getattr(node, field, None)
                if isinstance(name, str) and pattern.fullmatch(name):
                    count[name] += 1
    return count


def measured() -> dict[str, float]:
    """Return the figures that have a bar."""
    sizes = sorted(node.end_lineno - node.lineno + 1 for node in functions())
    return {
        "median": statistics.median(sizes),
        "p95": sizes[math.ceil(len(sizes) * 0.95) - 1],
        "max": sizes[-1],
        "closed": sum(map(lines, loaded())),
    }


def main() -> int:
    """Print the figures; return the exit status."""
    for room, count in sorted(rooms().items()):
        print(f"{room:12} {count:6} lines")
    figures = measured()
    documented = [bool(ast.get_docstring(node)) for node in public()]
    print(f"in all       {sum(rooms().values()):6} lines")
    print(f"closed set   {figures['closed']:6} lines loaded by the gates")
    print(
        f"functions    median {figures['median']:g}, p95 {figures['p95']}, "
        f"max {figures['max']} lines"
    )
    print(f"docstrings   {sum(documented)} of {len(documented)} public")
    names = ", ".join(f"{name} {count}" for name, count in banned().items())
    print(f"names        {names}")
    missed = [name for name, most in MOST.items() if figures[name] > most]
    missed += ["docstrings"] if not all(documented) else []
    missed += ["names"] if any(banned().values()) else []
    print(f"missed       {', '.join(missed) or 'nothing'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
