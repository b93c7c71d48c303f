# SPDX-License-Identifier: Apache-2.0
"""The limits of the benchmarks, and the page of their figures."""

import json
import types

import pytest

from tests.benchmarks import common, compare, everything, figures_page
from tests.benchmarks.abuse_cost import Cost, Finding
from tests.unit import docs


@pytest.mark.parametrize(
    ("name", "now", "fails"),
    [
        ("evaluations_to_jsonschema_ratio", 2 * 0.69, True),
        ("load_to_safe_load_ratio", 2 / 0.69, True),
        ("evaluations_to_jsonschema_ratio", 2 * 0.71, False),
        ("load_to_safe_load_ratio", 2 / 0.71, False),
        ("evaluations_to_jsonschema_ratio", 9, False),
    ],
)
def test_a_ratio_fails_if_it_falls_by_a_third(name, now, fails):
    figures = {
        benchmark: {"figures": dict.fromkeys(compare.RATIOS, 2)}
        for benchmark, _ in compare.RATIOS.values()
    }
    wanted = {name: compare.bars(figures)[name]}
    ((_, missed),) = common.judge({name: now}, wanted).values()
    assert bool(missed) is fails


def test_a_ratio_that_is_missing_fails():
    with pytest.raises(LookupError):
        compare.bars({"policy": {"figures": {}}})
    with pytest.raises(LookupError):
        common.judge({}, compare.BARS)


@pytest.mark.parametrize(
    ("gate", "plain", "beyond"),
    [
        ((0.0499, 1), (0.01, 1), False),
        ((0.0501, 1), (0.01, 1), True),
        # 20 ms are always free.
        ((0.0199, 1), (0.0001, 1), False),
        ((0, 3000 + 65_536), (0, 300), False),
        ((0, 3001 + 65_536), (0, 300), True),
    ],
)
def test_a_hostile_request_may_cost_so_much(gate, plain, beyond):
    assert Finding("x", Cost(*gate), Cost(*plain)).beyond is beyond


@pytest.mark.parametrize(
    ("low", "high", "missed"),
    [
        (0.90, 0.94, True),
        (0.94, 0.98, False),
        (0.94, 1.0, True),
        (0.96, 1.2, False),
    ],
)
def test_an_interval_across_the_bar_holds_unless_it_is_wide(low, high, missed):
    figures = {"a_ratio": 1, "a_ratio_low": low, "a_ratio_high": high}
    _, text = common.bar(figures, "a_ratio", at_least=0.95, width=0.05)
    assert bool(text) is missed


@pytest.mark.parametrize(("value", "status"), [(2, 1), (1, 0)])
def test_a_missed_bar_is_saved_and_fails(tmp_path, value, status):
    module = types.SimpleNamespace(
        measure=lambda: {"a_us": value, "most": 1},
        BARS={"a_*": {"at_most": "most"}},
    )
    file = tmp_path / "saved.json"
    assert common.main(module, ["--check", "--save", str(file)]) == status
    saved = json.loads(file.read_text())
    assert (saved["bars"], len(saved["missed"])) == (
        {"a_us": "at most 1"},
        status,
    )


def test_the_page_of_figures_is_what_the_run_has_found():
    page = figures_page.page(everything.kept())
    assert everything.PAGE.read_text() == page


def test_the_script_knows_every_benchmark():
    found = figures_page.modules()
    assert list(figures_page.PEERS) == list(everything.LIMITS)
    assert {*figures_page.PEERS} == {*found} - {"all", "compare"}
    for module in found.values():
        assert (docs.ROOT / f"{module.replace('.', '/')}.py").is_file()
