# SPDX-License-Identifier: Apache-2.0
"""All benchmarks in one run: which, what is kept, and how it ends."""

import json
import signal

import pytest

from tests.benchmarks import everything, reporter_fleet, steps


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Keep results in a folder of the test's own; return them when called."""
    monkeypatch.setattr(everything, "KEPT", tmp_path / "figures.json")
    monkeypatch.setattr(everything, "PAGE", tmp_path / "figures.inc")
    return everything.kept


@pytest.fixture
def answers(monkeypatch):
    """Answer in place of the benchmarks: name to status, saved, last line."""
    result = {}
    held = (0, {"figures": {"a_us": 1}, "bars": {}, "missed": []}, "done")
    monkeypatch.setattr(
        everything, "run", lambda name, *options: result.get(name, held)
    )
    return result


def test_a_benchmark_that_is_added_is_run_too():
    assert set(everything.chosen([], None)) == set(steps.known())
    assert "all" not in steps.known()


def test_all_of_them_are_over_in_time():
    assert set(everything.LIMITS) == set(steps.known())
    assert sum(everything.LIMITS.values()) <= everything.ALTOGETHER


def test_some_are_named_or_a_run_goes_on():
    every = list(steps.known())
    assert everything.chosen(["glance", "policy"], None) == [
        each for each in every if each in ("glance", "policy")
    ]
    assert everything.chosen([], every[-2]) == every[-2:]


def test_results_are_kept_one_by_one(kept, answers, capsys):
    assert everything.main(["policy"]) == 0
    answers["glance"] = (1, {"figures": {}, "missed": ["post_ratio: 2"]}, "")
    assert everything.main(["glance"]) == 1
    assert capsys.readouterr().out.endswith("glance: post_ratio: 2\n")
    assert {name: each["state"] for name, each in kept().items()} == {
        "policy": "held",
        "glance": "missed",
    }
    page = everything.PAGE.read_text()
    assert "**a bar is missed**" in page


def test_an_interrupted_run_loses_nothing(kept, answers, monkeypatch):
    first, second, *_ = steps.known()
    run = everything.run

    def interrupted(name, *options):
        if name == second:
            raise KeyboardInterrupt
        return run(name, *options)

    monkeypatch.setattr(everything, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        everything.main([])
    assert list(kept()) == [first]


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ((2, {}, "boots: not installed: mariadb-server"), "unavailable"),
        ((143, {}, "boots: not installed: mariadb-server"), "failed"),
        # It says that all is well and has saved nothing.
        ((0, {}, "boots: not installed: mariadb-server"), "failed"),
    ],
)
def test_what_does_not_run_is_said(kept, answers, capsys, answer, state):
    answers["boots"] = answer
    assert everything.main(["boots"]) == 1
    assert kept()["boots"]["state"] == state
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "boots: boots: not installed: mariadb-server"


def test_an_unknown_name_runs_nothing(kept, answers):
    with pytest.raises(SystemExit):
        everything.main(["glanze"])
    assert not kept()


def test_the_machine_is_told_by_its_kind_only(kept, answers):
    machine = everything.machine()
    assert set(machine) == {"cores", "memory_gib", "python", "versions"}
    answers["boots"] = (1, {}, f"File {steps.ROOT}/x.py")
    everything.main(["boots"])
    assert str(steps.ROOT) not in json.dumps(kept())


def test_reports_are_due_once_an_interval():
    moments = list(reporter_fleet.due(1000, 300, 600, seed=1))
    assert moments == sorted(moments)
    assert all(0 <= each < 600 for each in moments)
    assert len(moments) == pytest.approx(2000, rel=0.05)
    first = sum(each < 300 for each in moments)
    assert first == pytest.approx(1000, rel=0.05)


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ("GET /resource_providers?name=compute1", "get_provider"),
        ("GET /resource_providers/0a-1/traits", "get_traits"),
        ("PUT /traits/CUSTOM_VHARD_IOMMU", "put_name"),
        ("PUT /resource_providers/0a-1/traits", "put_traits"),
        ("DELETE /traits/CUSTOM_VHARD_IOMMU", "other"),
    ],
)
def test_kinds_of_requests(request_, kind):
    assert reporter_fleet.kind_of(*request_.split()) == kind


def test_a_benchmark_is_ended_at_its_own_limit(monkeypatch, tmp_path):
    assert set(everything.LIMITS) <= set(steps.known())
    endless = tmp_path / "bench.sh"
    endless.write_text("exec sleep 30\n")
    monkeypatch.setattr(steps, "SCRIPT", endless)
    monkeypatch.setitem(everything.LIMITS, "boots", 0.1)
    assert everything.run("boots") == (-signal.SIGTERM, {}, "")
