# SPDX-License-Identifier: Apache-2.0
"""Count the statements of the code, and compare them with the ceilings.

    python -m tests.house            print the figures
    python -m tests.house --check    exit with 1 if a figure is too high
    python -m tests.house --lower    lower the ceilings to the figures

The ceilings are in tests/ceilings.toml. Docstrings, comments and blank lines
are not counted, so removing them makes no room. Data files are not counted
either: a commit that moves a table into a data file lowers the ceiling by the
size of the table.
"""

import ast
import re
import sys
import tomllib
from modulefinder import ModuleFinder
from pathlib import Path

from tests import idioms

ROOT = Path(__file__).parents[1]
PACKAGE, GATES = "nova_vhard/**/*.py", "nova_vhard/gates/**/*.py"
TESTS = ("tests/**/*.py", "bench/**/*.py", "tools/**/*.py")
DOCUMENTS = (
    "doc/source/**/*.rst",
    "deploy/**/*.rst",
    "README.rst",
    "CONTRIBUTING.rst",
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def nodes(path: Path) -> list[ast.AST]:
    """Return all nodes of a module."""
    return list(ast.walk(ast.parse(path.read_bytes(), path)))


def statements(path: Path) -> int:
    """Return the number of statements in a module, without docstrings."""
    count = 0
    for node in nodes(path):
        count += isinstance(node, ast.stmt)
        if isinstance(node, ast.Module | ast.ClassDef | Function):
            # An empty docstring is one, too.
            count -= ast.get_docstring(node) is not None
    return count


def imported_by(root: Path, *patterns: str) -> list[Path]:
    """Return the modules of nova_vhard that modules import, at any depth.

    Every import statement counts, even inside a function or below
    TYPE_CHECKING, because a reviewer of the gates must read that code, too.

    :param patterns: paths of the modules, which are in the result, too
    """
    finder = ModuleFinder([str(root)])
    for path in (each for pattern in patterns for each in root.glob(pattern)):
        name = ".".join(path.relative_to(root).with_suffix("").parts)
        finder.import_hook(name.removesuffix(".__init__"))
    return [
        Path(module.__file__)
        for name, module in finder.modules.items()
        if name.partition(".")[0] == "nova_vhard"
    ]


def figures(root: Path) -> dict[str, int]:
    """Return the figures that have a ceiling, by the name of the ceiling."""
    tests = [path for pattern in TESTS for path in root.glob(pattern)]
    documents = [path for pattern in DOCUMENTS for path in root.glob(pattern)]
    return {
        "nova_vhard": sum(map(statements, root.glob(PACKAGE))),
        "closed_set": sum(map(statements, imported_by(root, GATES))),
        "tests": sum(map(statements, tests)),
        "words": sum(
            len(path.read_text("utf-8").split()) for path in documents
        ),
        "idioms": len(list(idioms.found(root))),
    }


def main(action: str = "", root: Path = ROOT) -> int:
    """Print the figures; return the exit status."""
    if action not in ("", "--check", "--lower"):
        sys.exit(__doc__)
    file = root / "tests/ceilings.toml"
    ceilings = tomllib.loads(file.read_text("utf-8"))
    measured = figures(root)
    if action == "--lower":
        # A change that needs room makes it first: no ceiling is raised.
        ceilings = {
            name: min(figure, ceilings[name])
            for name, figure in measured.items()
        }
        lines = re.sub(
            r"(?m)^(\w+).*$",
            lambda line: f"{line[1]} = {ceilings[line[1]]}",
            file.read_text("utf-8"),
        )
        file.write_text(lines, "utf-8")
    above = {
        name: max(0, figure - ceilings[name])
        for name, figure in measured.items()
    }
    print(f"{'':12} figure ceiling above")
    # What is above its ceiling comes last, where a reader of CI looks first.
    for name, excess in sorted(above.items(), key=lambda item: item[1]):
        print(f"{name:12} {measured[name]:6} {ceilings[name]:7} {excess:5}")
    return 1 if action == "--check" and any(above.values()) else 0


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
