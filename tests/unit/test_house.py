# SPDX-License-Identifier: Apache-2.0
"""The counter of statements and words, tested on small trees."""

import pytest

from tests import house

TOP, GATES = "nova_vhard/__init__.py", "nova_vhard/gates/__init__.py"
A, B = "nova_vhard/a.py", "nova_vhard/b/__init__.py"
TEST, FILE = "tests/unit/test_a.py", "tests/ceilings.toml"
CEILINGS = """\
# a comment
nova_vhard = {}
closed_set = 0
tests = 0
words = 0
idioms = 0
"""

#: Files, and the figures that are not 0.
TREES = {
    "nothing": ({TOP: ""}, {}),
    "docstring of a module": ({TEST: '"""Doc."""\na = 1'}, {"tests": 1}),
    "docstring of a class": ({TEST: 'class A:\n "Doc."'}, {"tests": 1}),
    "docstring of a function": ({TEST: 'def a():\n "Doc."'}, {"tests": 1}),
    "of an async one": ({TEST: 'async def a():\n "Doc."'}, {"tests": 1}),
    "empty docstring": ({TEST: 'def a():\n ""'}, {"tests": 1}),
    "second string": ({TEST: '"Doc."\n"More."'}, {"tests": 1}),
    "string in a branch": ({TEST: 'if a:\n "No doc."'}, {"tests": 2}),
    "bytes": ({TEST: 'b"No doc."'}, {"tests": 1}),
    "comment and blank line": ({TEST: "# why\n\na = 1"}, {"tests": 1}),
    "two in a line": ({TEST: "a = 1; b = 2"}, {"tests": 2}),
    "one in two lines": ({TEST: "a = (1,\n 2)"}, {"tests": 1}),
    "nested": ({TEST: "def a():\n if b:\n  return 1"}, {"tests": 3}),
    "table in Python": ({A: "a = [\n 1,\n 2]"}, {"nova_vhard": 1}),
    "table in data": ({"nova_vhard/a.yaml": "- 1\n- 2"}, {}),
    "tests, bench, tools": (
        {TEST: "a = 1", "bench/a/b.py": "a = 1", "tools/a.py": "a = 1"},
        {"tests": 3},
    ),
    "dashboard": ({"nova_vhard_dashboard/a.py": "a = 1"}, {}),
    "idioms": (
        {TEST: '"""Wh\x61t is there."""', "README.rst": "an\x65w"},
        {"words": 1, "idioms": 2},
    ),
    "documents": (
        {
            "doc/source/a.rst": "a",
            "doc/source/b/a.rst": "a b",
            "deploy/a/b.rst": "a-b,\n\nc\nd",
            "README.rst": "a",
            "CONTRIBUTING.rst": "a",
        },
        {"words": 8},
    ),
    "other documents": (
        {"doc/a.rst": "a", "doc/source/a.inc": "a", "SECURITY.rst": "a"},
        {},
    ),
    "gate": ({GATES: "a = 1"}, {"nova_vhard": 1, "closed_set": 1}),
    "gate in a folder": (
        {"nova_vhard/gates/a/__init__.py": "a = 1", GATES: ""},
        {"nova_vhard": 1, "closed_set": 1},
    ),
    "not imported": (
        {GATES: "import nova_vhard.b", A: "a = 1", B: ""},
        {"nova_vhard": 2, "closed_set": 1},
    ),
    "almost a gate": (
        {"nova_vhard/gates_a/__init__.py": "a = 1", GATES: ""},
        {"nova_vhard": 1},
    ),
}
#: Ways to import nova_vhard.a, which imports nova_vhard.b, which imports the
#: gate; with the statements of the gate itself.
IMPORTS = {
    "import": ("import nova_vhard.a", 1),
    "import as": ("import nova_vhard.a as b", 1),
    "from the package": ("from nova_vhard import a", 1),
    "from the module": ("from nova_vhard.a import b", 1),
    "relative": ("from ..a import b", 1),
    "in a function": ("def f():\n from nova_vhard import a", 2),
    "in a method": ("class A:\n def f(self):\n  import nova_vhard.a", 3),
    "for types": ("if TYPE_CHECKING:\n import nova_vhard.a", 2),
    "in a branch": ("try:\n import c\nexcept E:\n import nova_vhard.a", 3),
}
TREES |= {
    f"import: {name}": (
        {TOP: "a = 1", GATES: text, A: "import nova_vhard.b.c", B: "b = 1"}
        | {"nova_vhard/b/c.py": "import nova_vhard.gates"},
        {"nova_vhard": count + 4, "closed_set": count + 4},
    )
    for name, (text, count) in IMPORTS.items()
}


def write(root, files):
    for name, text in {TOP: "", GATES: "", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize(
    ("files", "expected"), TREES.values(), ids=TREES.keys()
)
def test_figures(tmp_path, files, expected):
    write(tmp_path, files)
    figures = house.figures(tmp_path)
    assert {name: each for name, each in figures.items() if each} == expected


@pytest.mark.parametrize(
    ("action", "ceiling", "status", "after"),
    [
        ("--check", 2, 0, 2),
        ("--check", 1, 1, 1),
        ("--lower", 3, 0, 2),
        ("--lower", 1, 0, 1),
        ("", 3, 0, 3),
    ],
)
def test_ceilings(tmp_path, capsys, action, ceiling, status, after):
    files = {A: "def a():\n pass", FILE: CEILINGS.format(ceiling)}
    write(tmp_path, files)
    assert house.main(action, tmp_path) == status
    assert (tmp_path / FILE).read_text() == CEILINGS.format(after)
    row = capsys.readouterr().out.splitlines()[-5].split()
    assert row == ["nova_vhard", "2", str(after), str(max(0, 2 - after))]


@pytest.mark.parametrize("action", ["--chek", "--check --lower"])
def test_an_unknown_action_is_an_error(tmp_path, action):
    with pytest.raises(SystemExit):
        house.main(action, tmp_path)
