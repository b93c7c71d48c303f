# SPDX-License-Identifier: Apache-2.0
"""The limits of the benchmarks, and the page of their figures."""

import json
import re

import pytest

from tests.benchmarks import common, compare, figures_page, steps
from tests.benchmarks.abuse_cost import Cost, Finding
from tests.benchmarks.compare import Ratio
from tests.unit import docs

MORE = Ratio("policy", "rate_ratio", True)
LESS = Ratio("policy", "cost_ratio", False)
FOLDER = docs.CONTRIBUTOR.parent
KEPT = json.loads((FOLDER / "figures.json").read_text())


@pytest.mark.parametrize(
    ("ratio", "was", "now", "fails"),
    [
        (MORE, 2, 2 * 0.69, True),
        (LESS, 2, 2 / 0.69, True),
        (MORE, 2, 2 * 0.71, False),
        (LESS, 2, 2 / 0.71, False),
        (MORE, 2, 9, False),
        (MORE, None, 1, True),
        (MORE, 1, None, True),
    ],
)
def test_a_ratio_fails_if_it_falls_by_a_third_or_is_missing(
    ratio, was, now, fails
):
    figures = ({"policy": {ratio.name: value}} for value in (was, now))
    failed = compare.compare(*figures, [ratio])
    assert [each for each, _ in failed] == [ratio] * fails


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
    figures = {"a_ratio_low": low, "a_ratio_high": high}
    bar = common.ratio_bar(figures, "a_ratio", at_least=0.95, width=0.05)
    assert bool(bar) is missed


@pytest.mark.parametrize(("value", "status"), [(2, 1), (1, 0)])
def test_a_missed_bar_is_saved_and_fails(tmp_path, value, status):
    def bars(figures):
        return common.shortfalls(common.at_most(figures, "a_us", 1))

    file = tmp_path / "saved.json"
    arguments = ["--check", "--save", str(file)]
    assert common.main("x", lambda: {"a_us": value}, bars, arguments) == status
    saved = json.loads(file.read_text())
    assert (saved["figures"]["a_us"], len(saved["missed"])) == (value, status)


def test_the_page_of_figures_is_what_the_run_has_found():
    page = figures_page.page(KEPT, steps.known())
    assert (FOLDER / "figures.inc").read_text() == page
    for each in compare.RATIOS:
        assert KEPT[each.benchmark]["figures"][each.name] > 0


def test_the_script_knows_every_benchmark():
    text = (docs.ROOT / "tools" / "bench.sh").read_text()
    found = re.findall(r"^ +([\w-]+)\) module=([\w.]+) ;;$", text, re.M)
    assert set(steps.known()) == set(dict(found)) - set(steps.RUNNERS)
    for _, module in found:
        assert (docs.ROOT / f"{module.replace('.', '/')}.py").is_file()
