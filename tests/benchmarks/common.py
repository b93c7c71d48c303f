# SPDX-License-Identifier: Apache-2.0
"""Code shared by all benchmarks: statistics, bars and output.

A benchmark is a module with a ``measure`` function that returns its figures
(a flat dictionary whose keys end in the unit, such as ``post_gate_us``) and
with ``BARS``: the names of figures, or patterns of them, to the arguments of
``bar``::

    BARS = {
        "post_ratio": {"at_most": 1.03, "width": 0.02},
        "host_us": {"at_most": 0.5},
    }

    def measure() -> dict[str, object]:
        ratio = common.median_ratio(pairs)          # [(with, without), ...]
        return {**ratio.figures("post_ratio"), "host_us": 0.31}

``python -m tests.benchmarks MODULE`` prints one JSON object on standard
output.  With ``--check`` it then prints the missed bars, one per line, and the
exit status is 1.  If a figure cannot be measured on this machine, ``measure``
raises ``Unavailable`` and the exit status is 2.

A benchmark whose ratios are compared in CI (``compare``) also has a function
``quick``, which returns the same figures from a few rounds.
"""

import argparse
import fnmatch
import json
import math
import pathlib
import random
import signal
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Figures = dict[str, Any]

RESAMPLES = 2000
SEED = 20260831  # the same samples always give the same interval
#: Draws the order of turns, which is the same in each run.
DRAW = random.Random(SEED)


class Unavailable(Exception):
    """This machine lacks what the benchmark needs; says what."""


@dataclass(frozen=True)
class Interval:
    """A median with the bounds of its 95 % confidence interval."""

    median: float
    low: float
    high: float

    def figures(self, name: str) -> Figures:
        """Return ``name``, ``name_low`` and ``name_high``, rounded.

        ``name`` ends with the unit, as in ``post_ratio``.
        """
        return {
            name: round(self.median, 4),
            f"{name}_low": round(self.low, 4),
            f"{name}_high": round(self.high, 4),
        }


def bootstrap_median(samples: Sequence[float]) -> Interval:
    """Return the median of ``samples`` and its 95 % interval.

    Percentile bootstrap: the median of RESAMPLES draws with replacement.
    """
    draw = random.Random(SEED)
    medians = sorted(
        statistics.median(draw.choices(samples, k=len(samples)))
        for _ in range(RESAMPLES)
    )
    return Interval(
        statistics.median(samples),
        medians[int(RESAMPLES * 0.025)],
        medians[int(RESAMPLES * 0.975) - 1],
    )


def median_ratio(pairs: Iterable[tuple[float, float]]) -> Interval:
    """Return the median of with/without over the pairs, and its interval.

    ``pairs`` holds (with the thing measured, without it), taken right after
    one another, in any unit of time.
    """
    return bootstrap_median([with_it / without for with_it, without in pairs])


def median_us(seconds: Iterable[float]) -> float:
    """Return the median of durations in seconds, as microseconds."""
    return round(statistics.median(seconds) * 1e6, 2)


def bar(
    figures: Figures,
    name: str,
    at_most: float = math.inf,
    at_least: float = -math.inf,
    width: float | None = None,
) -> tuple[str, str | None]:
    """Return the limit of a figure, and how it misses the limit, or None.

    :param width: for a ratio with an interval: it misses the limit if the
        whole interval is beyond it. An interval that contains the limit must
        not be wider than this
    """
    low = high = shown = figures[name]
    if width is not None:
        low, high = figures[f"{name}_low"], figures[f"{name}_high"]
        shown = f"{low} to {high}"
    wanted = f"at least {at_least}"
    if at_most < math.inf:
        wanted = f"at most {at_most}"
    if low > at_most or high < at_least:
        return wanted, f"{name}: {shown}, {wanted} wanted"
    within = at_least <= low and high <= at_most
    if within or round(high - low, 4) <= (width or 0):
        return wanted, None
    text = f"{shown} is wider than {width}: too noisy, run it again"
    return wanted, f"{name}: {text}"


def judge(
    figures: Figures, bars: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[str, str | None]]:
    """Return the result of ``bar`` by figure.

    A limit can be the name of another figure.

    :raises LookupError: if a bar has no figure
    """
    result = {}
    for pattern, wanted in bars.items():
        names = fnmatch.filter(figures, pattern)
        if not names:
            raise LookupError(f"no figure {pattern}")
        limits = {kind: figures.get(x, x) for kind, x in wanted.items()}
        result |= {name: bar(figures, name, **limits) for name in names}
    return result


def progress(text: str) -> None:
    """Print what is being measured to standard error."""
    print(text, file=sys.stderr, flush=True)


def in_turns(
    runs: Mapping[str, Callable[[], Any]], rounds: int, warm_up: int = 1
) -> dict[str, list[Any]]:
    """Return what each run returns in each round after the first ones.

    The order is drawn for each round.
    """
    samples: dict[str, list[Any]] = {name: [] for name in runs}
    for number in range(warm_up + rounds):
        for name in DRAW.sample(list(runs), len(runs)):
            taken = runs[name]()
            if number >= warm_up:
                samples[name].append(taken)
    return samples


def ratio(
    samples: Mapping[Any, Sequence[float]], one: Any, other: Any, name: str
) -> Figures:
    """Return the figures of the ratio of one run to another; see in_turns."""
    pairs = zip(samples[one], samples[other], strict=True)
    return median_ratio(pairs).figures(name)


def main(module: Any, argv: Sequence[str]) -> int:
    """Run a benchmark, print the JSON object and return the exit status."""
    parser = argparse.ArgumentParser(
        description=(module.__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit 1 and end with the line that falls short",
    )
    parser.add_argument(
        "--save",
        metavar="FILE",
        help="write figures, bars and those that are missed, as JSON",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="few rounds, for tools/bench.sh compare; no bars",
    )
    options = parser.parse_args(argv)
    # An end that cleans up, as after Ctrl-C, not a sudden one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        figures = (module.quick if options.quick else module.measure)()
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(figures, indent=2), flush=True)
    judged = {}
    if options.check and not options.quick:
        judged = judge(figures, module.BARS)
    missed = [text for _, text in judged.values() if text]
    if options.save:
        result = {
            "figures": figures,
            "bars": {name: wanted for name, (wanted, _) in judged.items()},
            "missed": missed,
        }
        pathlib.Path(options.save).write_text(json.dumps(result))
    for line in missed:
        print(line, flush=True)
    return 1 if missed else 0
