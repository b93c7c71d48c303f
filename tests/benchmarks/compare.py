# SPDX-License-Identifier: Apache-2.0
"""Ratios of few rounds beside the committed ones: none may fall by a third.

Of the cheap benchmarks, and ratios to a peer of the same run only: a time says
as much of the machine as of the code.  A fall is how much worse it has become:
of 30 % and less it passes.  What has fallen by more is measured up to three
times more before that is believed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.benchmarks import common, everything

LEFT = 0.7  # the part of a ratio that must be left

#: Name of a ratio to its benchmark, and the kind of its bar.
RATIOS = {
    "evaluations_to_jsonschema_ratio": ("policy", "at_least"),
    "evaluations_to_oslo_policy_ratio": ("policy", "at_least"),
    "exemptions_10000_ratio": ("policy", "at_most"),
    "load_to_safe_load_ratio": ("policy", "at_most"),
    "vhard_times_faster_at_best_1000_ratio": ("filter", "at_least"),
    "vhard_posture_times_faster_at_best_1000_ratio": ("filter", "at_least"),
    "throughput_1_hosts_ratio": ("scheduler", "at_least"),
}


def bars(committed: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return the bars for the results of ``everything``; see ``common``.

    :raises LookupError: if a ratio has not been committed
    """
    result = {}
    for name, (benchmark, kind) in RATIOS.items():
        was = committed[benchmark]["figures"][name]
        limit = was * LEFT if kind == "at_least" else was / LEFT
        result[name] = {kind: limit}
    return result


BARS = bars(everything.kept())


def measured(ratios: Iterable[str]) -> common.Figures:
    """Run the benchmarks of ratios in few rounds; return the ratios.

    :raises LookupError: if one was not measured
    """
    result = {}
    for benchmark in dict.fromkeys(RATIOS[name][0] for name in ratios):
        common.progress(f"== {benchmark}")
        _, saved, _ = everything.run(benchmark, "--quick", limit=300)
        result |= saved.get("figures", {})
    return {name: result[name] for name in ratios}


def measure() -> common.Figures:
    """Return the ratios; measure those that miss their bar up to thrice more.

    Of a ratio that has fallen, the best counts: a busy machine makes it worse,
    never better.
    """
    figures = measured(RATIOS)
    for _ in range(3):
        judged = common.judge(figures, BARS)
        suspects = [name for name, (_, missed) in judged.items() if missed]
        for name, again in measured(suspects).items():
            best = max if RATIOS[name][1] == "at_least" else min
            figures[name] = best(figures[name], again)
    return figures
