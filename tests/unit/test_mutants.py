# SPDX-License-Identifier: Apache-2.0
"""The mutants that are drawn, the table of survivors, and their reasons."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

from tests.mutants import __main__ as program
from tests.mutants import folder, processes, settings, survivor, table
from tests.mutants.areas import AREAS, Area, drawn
from tests.mutants.survivor import Mutant
from tests.unit import docs

AREA = Area("policy", 3, ("tests/unit/test_text.py",))
NAMES = [f"nova_vhard.common.text.x_f__mutmut_{number}" for number in range(9)]
DIFF = """\
--- nova_vhard/common/text.py
+++ nova_vhard/common/text.py
@@ -1,3 +1,3 @@
 def clean(text):
-    if text > 1:
+    if text >= 1:
         return text
"""
MUTANT = Mutant(
    "nova_vhard.common.text.x_clean", "if text > 1:", "if text >= 1:"
)
REASON = """\
- function: nova_vhard.common.text.x_clean
  was: "if text > 1:"
  becomes: "if text >= 1:"
  why: |
    It makes
    no difference.
"""


def test_the_seed_draws_the_same_in_any_order():
    first = drawn(AREA, NAMES, 3, 7)
    assert first == drawn(AREA, reversed(NAMES), 3, 7)
    assert len(set(first)) == 3
    others = {tuple(drawn(AREA, NAMES, 3, seed)) for seed in range(20)}
    assert len(others) > 5


def test_what_moves_or_comes_elsewhere_changes_no_draw():
    names = [f"here.text.x_clean__mutmut_{number}" for number in range(99)]
    moved = [name.replace("here", "there") for name in names]
    first = [
        name.replace("here", "there") for name in drawn(AREA, names, 9, 7)
    ]
    assert first == drawn(AREA, moved, 9, 7)
    more = drawn(AREA, [*moved, "there.other.x_f__mutmut_1"], 9, 7)
    assert len(set(first) & set(more)) >= 8


def test_no_more_are_drawn_than_there_are():
    assert drawn(AREA, NAMES, 99, 7) == NAMES


def test_the_areas_have_what_the_issue_asks_for_and_tests():
    counts = {area.name: area.count for area in AREAS.values()}
    assert counts == {
        "policy": 200,
        "explain": 80,
        "request": 80,
        "gates": 120,
    }
    for area in AREAS.values():
        for pattern in area.files:
            assert list(docs.ROOT.glob(pattern))
        assert len(set(area.tests)) == len(area.tests)
        for test in area.tests:
            assert (docs.ROOT / test).exists()


def test_the_settings_are_what_mutmut_reads():
    text = settings.text(AREA, ["tests", "nova_vhard", "doc"])
    read = tomllib.loads(text)["tool"]["mutmut"]
    assert read["only_mutate"] == [
        "nova_vhard/policy/*",
        "nova_vhard/common/*",
    ]
    assert read["also_copy"] == ["doc", "tests"]


def test_a_copy_is_mutated_and_never_the_checkout(tmp_path):
    made = folder.Folder(AREA, tmp_path)
    (path,) = tmp_path.iterdir()
    assert made._path == path
    assert (path / "nova_vhard" / "common" / "text.py").is_file()
    assert not (path / ".git").exists()
    assert "[tool.mutmut]" in (path / "pyproject.toml").read_text()
    assert "[tool.mutmut]" not in (docs.ROOT / "pyproject.toml").read_text()


def test_a_mutant_is_what_its_diff_says_whatever_its_number():
    for number in (1, 23):
        name = f"nova_vhard.common.text.x_clean__mutmut_{number}"
        assert survivor.of_diff(name, DIFF) == MUTANT


@pytest.mark.parametrize(
    ("mangled", "plain"),
    [("x_clean", "clean"), ("x__clean", "clean"), ("xǁAǁb", "A.b")],
)
def test_a_function_has_the_name_that_a_person_writes(mangled, plain):
    result = Mutant(f"nova_vhard.common.text.{mangled}", "", "")
    assert (result.module, result.plain_name) == (
        "nova_vhard.common.text",
        plain,
    )


def test_a_reason_is_found_by_function_and_lines():
    known = survivor.reasons(REASON)
    assert known == {MUTANT: "It makes no difference."}
    other = Mutant(MUTANT.function, MUTANT.was, "if text < 1:")
    assert list(survivor.without_reason([MUTANT, other], known)) == [other]


@pytest.mark.parametrize(
    "text",
    [
        REASON + REASON,
        REASON.replace("why", "because"),
        REASON.replace("It makes\n    no difference.", " "),
        "- {function: x}",
    ],
)
def test_a_bad_reason_is_an_error(text):
    with pytest.raises(ValueError, match="reason"):
        survivor.reasons(text)


def test_every_reason_is_about_a_line_that_is_there():
    for mutant in survivor.reasons():
        source = docs.ROOT / f"{mutant.module.replace('.', '/')}.py"
        lines = {line.strip() for line in source.read_text().split("\n")}
        assert set(mutant.was.split("\n")) <= lines | {""}, mutant


def test_the_table_tells_the_explained_from_the_open():
    result = table.Result(
        "policy", 900, 200, [MUTANT, Mutant("a.x_b", "`", "")]
    )
    text = table.page([result], {MUTANT: "No difference."}, 7)
    assert "200 of 900 mutants, drawn by seed 7." in text
    first, second = text.split(".. list-table::")[1:]
    cells = [line.strip(" *-") for line in first.strip().splitlines()]
    assert cells[-6:] == [
        "``nova_vhard.policy``",
        "900",
        "200",
        "198",
        "1",
        "1",
    ]
    assert "``if text > 1:``" in second and "No difference." in second
    assert second.count("**none yet**") == 1


@pytest.mark.parametrize(
    ("tried", "text"),
    [
        (9, "All 9 mutants."),
        (7, "7 of 9 mutants: the whole run was stopped."),
    ],
)
def test_the_table_of_a_whole_run_names_no_seed(tried, text):
    page = table.page([table.Result("policy", 9, tried, [])], {}, None)
    assert text in page
    assert "seed" not in page


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the program on areas where this mutant lives; return the status."""
    monkeypatch.setattr(
        program,
        "tried",
        lambda area, count, resume, run, since: table.Result(
            area.name, 9, count or 9, [MUTANT]
        ),
    )
    record = tmp_path / "mutants.inc"
    monkeypatch.setenv("NOVA_VHARD_RECORD", str(record))

    def go(reasons, *arguments):
        known = survivor.reasons(reasons)
        monkeypatch.setattr(survivor, "reasons", lambda: known)
        status = program.main(arguments)
        return status, record.exists()

    return go


def test_a_survivor_without_a_reason_is_a_failure(run, capsys):
    assert run("", "--all") == (1, True)
    assert "if text >= 1:" in capsys.readouterr().out


def test_a_survivor_with_a_reason_is_none(run):
    assert run(REASON, "--all") == (0, True)


@pytest.mark.parametrize("arguments", [(), ("policy", "--all")])
def test_a_draw_and_an_area_are_no_record(run, arguments):
    assert run(REASON, *arguments) == (0, False)


def test_changed_lines_of_all_areas_are_a_record(run, capsys):
    assert run(REASON, "--since", "v1") == (0, True)
    assert "of lines changed since v1, and drawn" in capsys.readouterr().out


def test_the_lines_since_a_commit_are_those_of_the_work_tree(tmp_path):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a"]
    git += ["-c", "user.email=a@example.org"]
    module = tmp_path / "nova_vhard" / "common" / "text.py"
    module.parent.mkdir(parents=True)
    module.write_text("def clean(text):\n    if text > 2:\n        a()\n")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "a"]):
        subprocess.run([*git, *command], check=True)
    assert survivor.lines_since("HEAD", tmp_path) == {}
    module.write_text(module.read_text().replace("> 2", "> 1"))
    lines = survivor.lines_since("HEAD", tmp_path)
    assert lines == {"nova_vhard.common.text": {"if text > 1:"}}
    assert MUTANT.is_of(lines)
    assert not Mutant(MUTANT.function, "a()", "").is_of(lines)
    assert not Mutant("nova_vhard.common.pci.x_a", MUTANT.was, "").is_of(lines)


def test_fewer_of_each_area_are_said_to_be(run, capsys):
    assert run(REASON, "--count", "5") == (0, False)
    assert "20 of 36 mutants" in capsys.readouterr().out


def test_what_runs_at_import_is_tried_in_a_process_of_its_own(monkeypatch):
    early, later, untested, noticed = (
        f"a.x_{name}__mutmut_1" for name in "abcd"
    )
    made = folder.Folder.__new__(folder.Folder)
    begun = []
    monkeypatch.setattr(made, "_ask", lambda what: ["a.x_a"], raising=False)
    monkeypatch.setattr(
        made, "_fails", lambda name: bool(begun.append(name) or name)
    )
    states = {
        early: "survived",
        later: "survived",
        untested: "no tests",
        noticed: "killed",
    }
    assert made._anew(states) == {early: "killed"}
    assert sorted(begun) == ["", early]
    monkeypatch.setattr(made, "_fails", lambda name: True)
    with pytest.raises(RuntimeError, match="without any mutant"):
        made._anew(states)


def test_what_was_not_tried_is_no_kill(monkeypatch):
    states = dict(
        zip(NAMES, ["killed", "not checked", "no tests"] * 3, strict=True)
    )
    answers = {
        "names": lambda self: dict.fromkeys(NAMES, "digest"),
        "run": lambda self, names: states,
        "diffs": lambda self, names: dict.fromkeys(names, DIFF),
        "__init__": lambda self, area, resume: None,
    }
    for name, answer in answers.items():
        monkeypatch.setattr(folder.Folder, name, answer)
    result = program.tried(AREA, None)
    assert (result.every, result.tried, len(result.alive)) == (9, 9, 6)
    some = {name: states[name] for name in NAMES[:4]}
    monkeypatch.setattr(folder.Folder, "known", lambda self, names: some)
    result = program.tried(AREA, None, run=False)
    assert (result.every, result.tried, len(result.alive)) == (9, 4, 2)


@pytest.fixture
def results(monkeypatch, tmp_path):
    """Return a folder whose forks come to these ends; what was tried."""
    tried = []

    def fork(self, mutants, workers, patience):
        tried.append((list(mutants), workers))
        with self._results.open("a") as stream:
            for name, digest in mutants.items():
                entry = {"digest": digest, "state": ends[name].pop(0)}
                stream.write(json.dumps(entry) + "\n")

    ends = {
        "a": ["killed"],
        "b": ["timeout", "survived"],
        "c": ["timeout", "timeout"],
        "d": ["survived", "killed"],
    }
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "pyproject.toml").touch()
    monkeypatch.setattr(folder, "ROOT", root)
    monkeypatch.setattr(folder.Folder, "_fork", fork)
    monkeypatch.setattr(folder.Folder, "_anew", lambda self, states: {})
    return lambda **more: (folder.Folder(AREA, tmp_path, **more), tried)


def test_what_was_late_beside_others_is_tried_alone(results):
    made, tried = results()
    states = made.run({"a": "1", "b": "2", "c": "3"})
    assert states == {"a": "killed", "b": "survived", "c": "timeout"}
    assert tried == [(["a", "b", "c"], 2), (["b", "c"], 1)]


def test_a_run_goes_on_without_the_dead_who_are_known_by_digests(results):
    made, _ = results()
    made.run({"a": "1", "d": "4"})
    made, tried = results(resume=True)
    assert made.run({"z": "1", "d": "4"}) == {"z": "killed", "d": "killed"}
    assert tried[2:] == [(["d"], 2), ([], 1)]


def test_what_a_process_of_its_own_kills_stays_dead(results, monkeypatch):
    made, _ = results()
    monkeypatch.setattr(made, "_anew", lambda states: {"d": "killed"})
    assert made.run({"d": "4"}) == {"d": "killed"}
    made, tried = results(resume=True)
    assert made.run({"d": "4"}) == {"d": "killed"}
    assert tried[-2:] == [([], 2), ([], 1)]


def test_what_an_earlier_run_left_alive_is_tried_first(results):
    made, _ = results()
    made.run({"d": "4"})
    made, tried = results(resume=True)
    assert made.known({"a": "1", "d": "4"}) == {"d": "survived"}
    made.run({"a": "1", "d": "4"})
    assert tried[2] == (["d", "a"], 2)


def test_a_run_begins_without_what_an_earlier_one_has_found(results):
    made, _ = results()
    made.run({"a": "1"})
    made, _ = results()
    assert not made._results.exists()


def test_jobs_are_done_once_each_beside_each_other(tmp_path):
    def do(job):
        with (tmp_path / str(job)).open("x") as stream:
            stream.write(str(os.getpid()))

    processes.spread(2, range(300), do)
    assert len(list(tmp_path.iterdir())) == 300
    with pytest.raises(RuntimeError, match="ended early"):
        processes.spread(2, [0], do)


def _terminated():
    # Whatever another test has left as the handler.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("run", "status"),
    [
        (lambda: None, 0),
        (lambda: os._exit(3), 3),
        (lambda: os.kill(os.getpid(), signal.SIGXCPU), None),
        (_terminated, -signal.SIGTERM),
        (lambda: {}["key"], 1),
    ],
)
def test_how_a_process_ends(run, status, capfd):
    assert processes.alone(run, 60, 600) == status


def test_who_waits_for_what_never_comes_is_stopped():
    assert processes.alone(signal.pause, 60, 0.01) is None


#: Takes half a second of the processor.
WORK = "import time\nwhile time.process_time() < 0.5: pass"


def test_so_is_who_rests_with_all_that_it_has_begun(monkeypatch):
    monkeypatch.setattr(processes, "_LOOK", 0.01)
    monkeypatch.setattr(processes, "_REST", 0.3)

    def begin():
        subprocess.run([sys.executable, "-c", WORK], check=True)

    assert processes.alone(signal.pause, 60, 600) == processes.RESTED
    assert processes.alone(begin, 60, 600) == 0


def test_the_files_of_a_process_go_with_it(tmp_path):
    note = tmp_path / "note"

    def run():
        place = tempfile.mkdtemp()
        note.write_text(place)

    assert processes.alone(run, 60, 600) == 0
    assert not Path(note.read_text()).exists()
