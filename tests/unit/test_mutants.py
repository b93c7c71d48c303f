# SPDX-License-Identifier: Apache-2.0
"""The areas of mutants, the reasons of survivors, and the exit status."""

import pytest

from tests.mutants import __main__ as program
from tests.mutants import processes, survivor, table
from tests.mutants.areas import AREAS, drawn
from tests.mutants.survivor import Mutant
from tests.unit import docs

MUTANT = Mutant(
    "nova_vhard.common.text.x_clean", "if text > 1:", "if text >= 1:"
)
REASON = """\
- function: nova_vhard.common.text.x_clean
  was: "if text > 1:"
  becomes: "if text >= 1:"
  why: It makes no difference.
"""


def test_the_seed_draws_the_same_in_any_order():
    names = [f"nova_vhard.common.text.x_f__mutmut_{n}" for n in range(9)]
    first = drawn(AREAS["policy"], names, 3, 7)
    assert first == drawn(AREAS["policy"], reversed(names), 3, 7)
    assert len(set(first)) == 3


@pytest.mark.parametrize("area", AREAS.values(), ids=AREAS)
def test_the_files_and_tests_of_an_area_exist(area):
    assert all(list(docs.ROOT.glob(pattern)) for pattern in area.files)
    assert all((docs.ROOT / test).exists() for test in area.tests)
    assert len(set(area.tests)) == len(area.tests)


@pytest.mark.parametrize(
    "text", [REASON + REASON, REASON.replace("why", "because")]
)
def test_a_bad_reason_is_an_error(text):
    with pytest.raises(ValueError, match="reason"):
        survivor.reasons(text)


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


@pytest.mark.parametrize(
    ("run", "status"), [(lambda: None, 0), (lambda: {}["key"], 1)]
)
def test_a_process_that_fails_has_killed_its_mutant(run, status, capfd):
    assert processes.alone(run, 60, 600) == status
