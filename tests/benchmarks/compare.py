# SPDX-License-Identifier: Apache-2.0
"""Ratios of few rounds beside the committed ones: none may fall by a third.

Of the cheap benchmarks, and ratios to a peer of the same run only: a time says
as much of the machine as of the code.  A fall is how much worse it has become:
of 30 % and less it passes.  What has fallen by more is measured once more
before that is believed.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks import everything
from tests.benchmarks.common import progress

LIMIT = 0.30

Figures = Mapping[str, Mapping[str, Any]]  # benchmark to its figures


@dataclass(frozen=True)
class Ratio:
    """A figure that is compared.

    :ivar more: whether more of it is better
    """

    benchmark: str
    name: str
    more: bool


RATIOS = (
    Ratio("policy", "evaluations_to_jsonschema_ratio", True),
    Ratio("policy", "evaluations_to_oslo_policy_ratio", True),
    Ratio("policy", "exemptions_10000_ratio", False),
    Ratio("policy", "load_to_safe_load_ratio", False),
    Ratio("filter", "vhard_times_faster_at_best_1000_ratio", True),
    Ratio("filter", "vhard_posture_times_faster_at_best_1000_ratio", True),
    Ratio("scheduler", "throughput_1_hosts_ratio", True),
)


def compare(
    committed: Figures, now: Figures, ratios: Iterable[Ratio] = RATIOS
) -> list[tuple[Ratio, str]]:
    """Return the ratios that fail, each with why.

    A fall is by what part a ratio has become worse.
    """
    failed = []
    for each in ratios:
        was = committed.get(each.benchmark, {}).get(each.name)
        result = now.get(each.benchmark, {}).get(each.name)
        if not was or not result:
            text = f"{was} committed, {result} measured"
        else:
            part = 1 - (result / was if each.more else was / result)
            if part <= LIMIT:
                continue
            text = f"{was} committed, {result} now, a fall of {part:.0%}"
        failed.append((each, f"{each.benchmark}: {each.name}: {text}"))
    return failed


def measured(benchmarks: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Run benchmarks in few rounds; return their figures."""
    result = {}
    for name in dict.fromkeys(benchmarks):
        progress(f"== {name}")
        _, saved, _ = everything.run(name, "--quick", limit=300)
        result[name] = saved.get("figures", {})
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Compare; return the exit status."""
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(
        prog="tools/bench.sh compare", description=about
    )
    parser.add_argument("--check", action="store_true", help="is always so")
    parser.parse_args(argv)
    committed = {
        name: each["figures"] for name, each in everything.kept().items()
    }
    now = measured(each.benchmark for each in RATIOS)
    failed = compare(committed, now)
    if failed:
        suspects = [each for each, _ in failed]
        now |= measured(each.benchmark for each in suspects)
        failed = compare(committed, now, suspects)
    shown = {
        each.name: now.get(each.benchmark, {}).get(each.name)
        for each in RATIOS
    }
    print(json.dumps(shown, indent=2), flush=True)
    for _, text in failed:
        print(text, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
