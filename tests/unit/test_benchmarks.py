# SPDX-License-Identifier: Apache-2.0
"""The pure parts of the benchmarks: statistics, comparison, page, clocks."""

import itertools
import json
import subprocess
import sys

import pytest

from tests.benchmarks import (
    boot_meter,
    boot_pairs,
    common,
    compare,
    figures_page,
    steps,
)
from tests.benchmarks.compare import Ratio

MORE = Ratio("policy", "rate_ratio", True)
LESS = Ratio("policy", "cost_ratio", False)
MACHINE = {"cores": 2, "memory_gib": 8, "python": "3.13.5", "versions": {}}
STEP = steps.Step("glance", "tests.benchmarks.glance_gate", "Glance alone")


def result(**more):
    figures = {
        "post_ratio": 1.01,
        "post_ratio_low": 1.0,
        "post_ratio_high": 1.02,
        "post_us": 30.5,
    }
    return {
        "state": "held",
        "said": [],
        "day": "2026-11-25",
        "machine": MACHINE,
        "figures": figures,
        "bars": {"post_ratio": "at most 1.03"},
        **more,
    }


def failures(ratio, was, now):
    answer = compare.compare(
        {ratio.benchmark: {ratio.name: was}},
        {ratio.benchmark: {ratio.name: now}},
        [ratio],
    )
    return [text for _, text in answer]


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1), (1, 1), (50, 50), (99, 99), (100, 100)]
)
def test_percentile_is_one_of_the_samples(percent, expected):
    samples = list(range(100, 0, -1))
    assert common.percentile(samples, percent) == expected


def test_percentile_of_few_samples():
    assert common.percentile([3.0, 1.0], 50) == 1.0
    assert common.percentile([3.0, 1.0], 99) == 3.0
    with pytest.raises(ValueError, match="no samples"):
        common.percentile([], 50)


@pytest.mark.parametrize(
    ("ratio", "now"), [(MORE, 2 * 0.69), (LESS, 2 / 0.69)]
)
def test_a_fall_of_31_percent_fails_by_name(ratio, now):
    (text,) = failures(ratio, 2.0, now)
    assert ratio.name in text
    assert "a fall of 31%" in text


@pytest.mark.parametrize(
    ("ratio", "now"),
    [(MORE, 2 * 0.71), (LESS, 2 / 0.71), (MORE, 9), (LESS, 1)],
)
def test_a_fall_of_29_percent_or_a_rise_passes(ratio, now):
    assert failures(ratio, 2.0, now) == []


def test_a_missing_figure_fails_by_name():
    assert failures(MORE, None, 1.0) == [
        "policy: rate_ratio: not among the committed figures"
    ]
    assert failures(MORE, 1.0, None) == [
        "policy: rate_ratio: was not measured"
    ]
    assert len(compare.compare({}, {}, compare.RATIOS)) == len(compare.RATIOS)


def test_what_has_fallen_is_measured_again(monkeypatch, capsys):
    asked = []
    answers = iter([0.5, 1.0])

    def measured(benchmarks):
        asked.append(sorted(set(benchmarks)))
        value = next(answers)
        answer = {}
        for each in compare.RATIOS:
            bad = each.benchmark == "filter"
            answer.setdefault(each.benchmark, {})[each.name] = (
                value if bad else 1.0
            )
        return {name: answer[name] for name in asked[-1]}

    ones = {
        name: {"figures": dict.fromkeys(compare_names(name), 1.0)}
        for name in ("policy", "filter", "scheduler")
    }
    monkeypatch.setattr(compare.everything, "kept", lambda: ones)
    monkeypatch.setattr(compare, "measured", measured)
    assert compare.main([]) == 0
    assert asked == [["filter", "policy", "scheduler"], ["filter"]]
    json.loads(capsys.readouterr().out)


def compare_names(benchmark):
    return [
        each.name for each in compare.RATIOS if each.benchmark == benchmark
    ]


def test_the_page_has_ratio_interval_and_bar():
    page = figures_page.page({"glance": result()}, {"glance": STEP})
    rows = page.split("   * - ")
    (row,) = (each for each in rows if each.startswith("``post_ratio``"))
    cells = [line.strip() for line in row.splitlines()[1:4]]
    assert cells == ["- 1.01", "- 1.0 to 1.02", "- at most 1.03"]
    assert "post_ratio_low" not in page
    assert "2 cores, 8 GiB of memory, Python 3.13.5; 2026-11-25" in page
    assert STEP.method in page
    assert "all bars held" in page


def test_the_page_shows_what_is_missed_or_was_not_run():
    line = "post_ratio: 1.04 to 1.05, at most 1.03 wanted"
    missed = result(state="missed", said=[line])
    other = steps.Step("boots", "tests.benchmarks.boots", "without")
    page = figures_page.page(
        {"glance": missed}, {"glance": STEP, "boots": other}
    )
    assert "**a bar is missed**" in page
    assert "- post\\_ratio: 1.04 to 1.05, at most 1.03 wanted" in page
    assert "**not run yet**" in page


def test_a_bar_is_remembered_for_the_page():
    figures = {"a_ratio_low": 0.90, "a_ratio_high": 0.94, "b_us": 2}
    line = common.ratio_bar(figures, "a_ratio", at_least=0.95, width=0.05)
    assert line == "a_ratio: 0.9 to 0.94, at least 0.95 wanted"
    assert common.at_most(figures, "b_us", 1)
    assert common._WANTED["a_ratio"] == "at least 0.95"
    assert common._WANTED["b_us"] == "at most 1"


def test_an_interval_across_the_bar_holds_unless_it_is_wide():
    across = {"a_ratio_low": 0.94, "a_ratio_high": 0.98}
    assert not common.ratio_bar(across, "a_ratio", at_least=0.95, width=0.05)
    wide = {"a_ratio_low": 0.94, "a_ratio_high": 1.0}
    assert "too noisy" in str(
        common.ratio_bar(wide, "a_ratio", at_least=0.95, width=0.05)
    )


def test_what_is_missing_here_exits_2(capsys):
    def measure():
        raise common.Unavailable("not installed: a queue")

    assert common.main("x", measure, lambda figures: [], ["--check"]) == 2
    assert "not installed: a queue" in capsys.readouterr().err


def test_what_is_saved_has_figures_bars_and_what_is_missed(tmp_path):
    def bars(figures):
        return common.shortfalls(common.at_most(figures, "a_us", 1))

    file = tmp_path / "saved.json"
    arguments = ["--check", "--save", str(file)]
    assert common.main("x", lambda: {"a_us": 2}, bars, arguments) == 1
    saved = json.loads(file.read_text())
    assert saved["figures"]["a_us"] == 2
    assert saved["bars"]["a_us"] == "at most 1"
    assert saved["missed"] == ["a_us: 2, at most 1 wanted"]


def test_quick_is_held_to_no_bar():
    def bars(figures):
        raise AssertionError

    def quick():
        return {"a_us": 3}

    arguments = ["--quick", "--check"]
    assert common.main("x", bars, bars, arguments, quick=quick) == 0


def booted(plan, gates, plain, control=lambda servers: 1.0, **more):
    """Collect turns of boots that take what they are said to."""
    now, seconds = [0.0], more.pop("seconds", 0.0)

    def clock():
        now[0] += seconds
        return now[0]

    clear = more.pop("clear", lambda: None)
    return boot_pairs.collect(plan, (gates, plain, control), clear, clock)


def test_a_boot_with_the_gates_over_one_without():
    plan = boot_pairs.Plan(1, 3, 10, 60)
    turns = booted(plan, lambda servers: 1.25, lambda servers: 1.0)
    assert turns == [(1.25, 1.0, 1.0)] * 3
    answer = boot_pairs.figures(plan, turns)
    assert answer["boot_ratio"] == 1.25
    assert answer["boot_control_ratio"] == 1
    assert answer["boot_added_us"] == 250_000
    assert answer["boot_turns"] == 3


@pytest.mark.parametrize(("seconds", "turns"), [(0, 10), (20, 4), (1000, 3)])
def test_turns_are_added_until_time_is_up(seconds, turns):
    uneven = itertools.cycle((1.0, 3.0))
    plan = boot_pairs.Plan(8, 3, 10, 60)
    answer = booted(
        plan,
        lambda servers: next(uneven),
        lambda servers: 1.0,
        seconds=seconds,
    )
    assert len(answer) == turns
    assert "boot_8_at_once_ratio" in boot_pairs.figures(plan, answer)


def test_each_side_boots_once_a_turn_and_then_all_is_deleted():
    order = []
    booted(
        boot_pairs.Plan(1, 9, 9, 60),
        *(
            lambda servers, name=name: order.append(name) or 1.0
            for name in "gpc"
        ),
        clear=lambda: order.append("."),
    )
    turns = "".join(order).split(".")[:-1]
    assert {"".join(sorted(turn)) for turn in turns} == {"cgp"}
    assert len({*turns}) > 3


def test_what_the_processes_of_a_session_run_is_added_up():
    work = "import time\nwhile time.process_time() < 0.2: pass\n"
    program = f"import os\nos.fork()\n{work}input()"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        meter = boot_meter.Meter([process.pid])
        assert meter.at_rest() > 0.35
        assert boot_meter.Meter([]).seconds() == 0
        process.stdin.close()
        process.wait()
        # What has ended has run all the same.
        assert meter.seconds() > 0.35
