# SPDX-License-Identifier: Apache-2.0
"""Every benchmark that tools/bench.sh knows is there, and is described."""

import json
import re
import subprocess

from tests.benchmarks import compare, figures_page, steps
from tests.unit import docs

SCRIPT = (docs.ROOT / "tools" / "bench.sh").read_text()
BENCHMARKS = dict(
    re.findall(r"^ +([\w-]+)\) module=([\w.]+) ;;$", SCRIPT, re.M)
)


def test_usage_names_them():
    names = "|".join(BENCHMARKS)
    script = docs.ROOT / "tools" / "bench.sh"
    done = subprocess.run([script, "nothing"], capture_output=True, text=True)
    usage = f"usage: tools/bench.sh {names} [--check]\n"
    assert (done.returncode, done.stderr) == (2, usage)


def test_their_modules_are_there():
    assert "nova-api" in BENCHMARKS
    for module in BENCHMARKS.values():
        assert (docs.ROOT / f"{module.replace('.', '/')}.py").is_file()


def test_their_modules_describe_them():
    for step in steps.known().values():
        assert len(step.method.splitlines()) > 2, step.name


FOLDER = docs.CONTRIBUTOR.parent
KEPT = json.loads((FOLDER / "figures.json").read_text())


def test_the_page_of_figures_is_what_the_run_has_found():
    page = figures_page.page(KEPT, steps.known())
    assert (FOLDER / "figures.inc").read_text() == page


def test_the_figures_have_what_ci_compares():
    for each in compare.RATIOS:
        assert KEPT[each.benchmark]["figures"][each.name] > 0


def test_units_are_at_the_end_of_names():
    for result in KEPT.values():
        for name in result["figures"]:
            assert re.fullmatch("[a-z][a-z0-9_]*", name)


def test_all_runs_every_benchmark():
    assert set(steps.known()) == set(BENCHMARKS) - set(steps.RUNNERS)
