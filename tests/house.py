# SPDX-License-Identifier: Apache-2.0
"""Count the statements of the code, and compare them with the ceilings.

    python -m tests.house            print the statements of each package
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
from collections import Counter
from modulefinder import ModuleFinder
from pathlib import Path

from tests import idioms

ROOT = Path(__file__).parents[1]
PACKAGE = "nova_vhard/**/*.py"
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


def closed_set(root: Path) -> list[Path]:
    """Return the modules of nova_vhard that gates/ imports, at any depth.

    Every import statement counts, even inside a function or below
    TYPE_CHECKING, because a reviewer of the gates must read that code, too.
    """
    finder = ModuleFinder([str(root)])
    for path in root.glob("nova_vhard/gates/**/*.py"):
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
        "closed_set": sum(map(statements, closed_set(root))),
        "tests": sum(map(statements, tests)),
        "words": sum(
            len(path.read_text("utf-8").split()) for path in documents
        ),
        "idioms": len(list(idioms.found(root))),
    }


def print_packages(root: Path) -> None:
    """Print the size of each package, and how many functions are used once.

    A private function that is used once often splits the code of its caller.
    Uses are counted by name, within the function's own module.
    """
    sizes: Counter[str] = Counter()
    once: Counter[bool] = Counter()
    for path in root.glob(PACKAGE):
        sizes[path.relative_to(root).parts[1]] += statements(path)
        module = nodes(path)
        uses = Counter(
            getattr(n, "id", getattr(n, "attr", "")) for n in module
        )
        once.update(
            uses[node.name] == 1 and bool(re.match("_[^_]", node.name))
            for node in module
            if isinstance(node, Function)
        )
    for package, size in sorted(sizes.items()):
        print(f"{package:12} {size:6}")
    share = once[True] / once.total()
    print(f"{share:.0%} of all functions are private and used once")


def main(action: str = "", root: Path = ROOT) -> int:
    """Print the figures; return the exit status."""
    if action not in ("", "--check", "--lower"):
        sys.exit(__doc__)
    if not action:
        print_packages(root)
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
    for name, figure in measured.items():
        print(f"{name:12} {figure:6} {ceilings[name]:7} {above[name]:5}")
    return 1 if action == "--check" and any(above.values()) else 0


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
