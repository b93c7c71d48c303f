# SPDX-License-Identifier: Apache-2.0
"""Figures of the source, mutants, and files that other tools read."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest
import yaml

from tests import house
from tests.mutants import __main__ as program
from tests.mutants import survivor, table
from tests.mutants.areas import AREAS
from tests.mutants.survivor import Mutant
from tests.unit import docs
from tests.unit.docs import ROOT

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
    assert {
        name: each for name, each in house.figures(tmp_path).items() if each
    } == expected


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
    write(tmp_path, {A: "def a():\n pass", FILE: CEILINGS.format(ceiling)})
    assert house.main(action, tmp_path) == status
    assert (tmp_path / FILE).read_text() == CEILINGS.format(after)
    lines = capsys.readouterr().out.splitlines()
    # What is above its ceiling comes last.
    assert lines[-1 if after < 2 else 1].split() == [
        "nova_vhard",
        "2",
        str(after),
        str(max(0, 2 - after)),
    ]


# The areas of mutants, the reasons of survivors, and the exit status.

MUTANT = Mutant(
    "nova_vhard.common.text.x_clean", "if text > 1:", "if text >= 1:"
)
REASON = """\
- function: nova_vhard.common.text.x_clean
  was: "if text > 1:"
  becomes: "if text >= 1:"
  why: It makes no difference.
"""


@pytest.mark.parametrize("area", AREAS.values(), ids=AREAS)
def test_the_files_and_tests_of_an_area_exist(area):
    assert all(list(docs.ROOT.glob(pattern)) for pattern in area.files)
    assert all((docs.ROOT / test).exists() for test in area.tests)
    assert len(set(area.tests)) == len(area.tests)


def test_every_reason_is_about_a_line_that_is_there():
    for mutant in survivor.reasons():
        source = docs.ROOT / f"{mutant.module.replace('.', '/')}.py"
        lines = {line.strip() for line in source.read_text().split("\n")}
        assert set(mutant.was.split("\n")) <= lines | {""}, mutant


@pytest.mark.parametrize(
    ("text", "arguments", "ended"),
    [
        ("", ["--all"], (1, True)),
        (REASON, ["--all"], (0, True)),
        (REASON, ["--since", "v1"], (0, True)),
        (REASON, [], (0, False)),
        (REASON, ["--count", "5"], (0, False)),
        (REASON, ["policy", "--all"], (0, False)),
    ],
)
def test_a_survivor_without_a_reason_is_a_failure(
    monkeypatch, tmp_path, text, arguments, ended
):
    """Only a run over all areas is recorded."""
    known = survivor.reasons(text)
    monkeypatch.setattr(survivor, "reasons", lambda: known)
    result = table.Result("policy", 9, 9, [MUTANT])
    monkeypatch.setattr(program, "tried", lambda *_: result)
    record = tmp_path / "mutants.inc"
    monkeypatch.setenv("NOVA_VHARD_RECORD", str(record))
    assert (program.main(arguments), record.exists()) == ended


# Files that other tools read: bindep.txt, zuul.d, the constraints.

ROWS = dict(
    re.findall(
        r"^([^ #]+) \[(.+?)\]",
        (ROOT / "bindep.txt").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
)
BUILD = """
import sys
from setuptools import build_meta
dist = sys.argv[1]
build_meta.build_sdist(dist)
build_meta.build_wheel(dist)
"""
#: Where a recipe names our version: 1.1.0, or 1.2.0-dev0.
NAMED = re.compile(
    r"(?:vhard\S*?[-=:]+|^version: )(\d+\.\d+\.\d+(?:[.-]dev\d+)?)", re.M
)


@pytest.mark.parametrize(
    "profile",
    ["attestation", "deploy", "emulated", "host", "integration", "qemu"],
)
def test_a_profile_has_what_its_script_installs(profile):
    script = docs.text_of(ROOT / f"tests/{profile}/prepare.sh")
    parts = re.findall(r"wanted\+?=\(\s*(.*?)\)", script, re.DOTALL)
    packages = re.sub("#.*", "", "\n".join(parts)).split()
    assert packages
    assert {*packages} == {
        name for name, words in ROWS.items() if profile in words.split()
    }


def test_ci_finds_the_packages_of_its_profile():
    (script,) = re.findall(
        r"sed -n '(.+)' bindep\.txt", docs.text_of(ROOT / ".ci" / "stage")
    )
    rows = [
        line.split()
        for line in subprocess.check_output(
            ["sed", "-n", script, ROOT / "bindep.txt"], text=True
        ).splitlines()
    ]
    # A package, and a command that shows whether it is there.
    assert {package for package, _ in rows} == {
        name for name, words in ROWS.items() if "ci" in words.split()
    }
    assert ["chromium-driver", "chromedriver"] in rows


def test_every_job_of_zuul_is_an_environment_of_tox():
    tox = docs.text_of(ROOT / "tox.ini")
    environments = {
        *re.findall(r"^\[testenv:(\S+)\]", tox, re.MULTILINE),
        *re.search(r"^env_list = (.*)$", tox, re.M)[1].split(","),
    }
    names = {
        row["job"]["name"]: row["job"]["vars"]["tox_envlist"]
        for row in yaml.safe_load(docs.text_of(ROOT / "zuul.d/jobs.yaml"))
        if not row["job"].get("abstract")
    }
    assert {*names.values()} <= {each.strip() for each in environments}
    (row,) = yaml.safe_load(docs.text_of(ROOT / "zuul.d/project.yaml"))
    assert {*row["project"]["check"]["jobs"]} == names.keys()


#: Run in an empty checkout, whose wheels are made already.
INSTALL = """
set -euo pipefail
. "$1/tools/lib/venv.sh"
vhard_venv "$PWD"
"$VENV/bin/python" -c 'import importlib.metadata as m; print(m.version("a"))'
"""
CHECKOUT = {
    "setup.cfg": "",
    "requirements.txt": "",
    "pyproject.toml": """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
""",
    "backend.py": """
import shutil
def build_editable(folder, *_):
    return shutil.copy("b-1-py3-none-any.whl", folder).rpartition("/")[2]
""",
    "tests/versions/newest.txt": "a==1",
    "of_the_caller.txt": "a==2",
}
EXTRA = """\
Provides-Extra: test
Requires-Dist: a; extra == "test"
"""


def test_constraints_are_ours_or_the_callers(tmp_path):
    """Others make another environment of what is installed already."""
    for name, text in CHECKOUT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for wheel in ("a-1", "a-2", "a-3", "b-1"):
        name, number = wheel.split("-")
        about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n"
        parts = {
            "METADATA": about + EXTRA * (name == "b"),
            "WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
            "RECORD": "",
        }
        path = tmp_path / f"{wheel}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as file:
            for part, text in parts.items():
                file.writestr(f"{wheel}.dist-info/{part}", text)
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    installed = []
    for file in ("", "of_the_caller.txt", "/dev/null"):
        out = subprocess.check_output(
            ["bash", "-c", INSTALL, "bash", ROOT],
            cwd=tmp_path,
            env={**os.environ, **pip, "TOX_CONSTRAINTS_FILE": file},
        )
        installed += out.split()[-1:]
    assert installed == [b"1", b"2", b"3"]


def version():
    return re.search(
        r"^version = (\S+)$", docs.text_of(ROOT / "setup.cfg"), re.MULTILINE
    )[1]


def test_a_build_without_git_has_the_version_and_every_file(tmp_path):
    """As from a tarball of the source; a tag is not asked for either."""
    source, dist = tmp_path / "source", tmp_path / "dist"
    listed = {
        name
        for name in subprocess.check_output(
            [
                *["git", "-C", ROOT, "ls-files", "--cached", "--others"],
                "--exclude-standard",
            ],
            text=True,
        ).splitlines()
        if (ROOT / name).is_file()
    }
    for name in listed:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-W", "ignore", "-c", BUILD, dist]
    subprocess.check_output(command, cwd=source)
    # The names of the files contain the version.
    name = f"nova_vhard-{version()}"
    with tarfile.open(dist / f"{name}.tar.gz") as sdist:
        packed = {m.name for m in sdist.getmembers() if m.isfile()}
    assert {f"{name}/{each}" for each in listed - {".gitignore"}} <= packed
    with zipfile.ZipFile(dist / f"{name}-py3-none-any.whl") as wheel:
        packed = set(wheel.namelist())
    etc = f"{name}.data/data/etc"
    assert packed >= {
        each.replace("etc", etc, 1) if each.startswith("etc/") else each
        for each in listed
        if each.startswith(("nova_vhard", "etc/"))
    }


@pytest.mark.parametrize(
    "name",
    [
        *("galaxy.yml", "README.rst", "kolla-build.conf"),
        "user_nova_vhard.yml",
    ],
)
def test_recipes_name_the_version_of_the_source(name):
    assert {
        found.replace("-", ".")
        for path in (ROOT / "deploy").glob(f"[!p]*/**/{name}")
        for found in NAMED.findall(path.read_text(encoding="utf-8"))
    } == {version()}


def test_packages_have_the_version_of_the_source():
    """In the form that dpkg and rpm sort before the release."""
    packages = ROOT / "deploy" / "packages"
    wanted = version().replace(".dev", "~dev")
    assert docs.text_of(packages / "debian/changelog").startswith(
        f"nova-vhard ({wanted}-1) "
    )
    spec = (packages / "nova-vhard.spec").read_text(encoding="utf-8")
    assert re.search(r"^Version: +(\S+)$", spec, re.M)[1] == wanted
    assert f"- {wanted}-1\n" in spec
