# SPDX-License-Identifier: Apache-2.0
"""Code shared by all benchmarks: statistics, bars and output.

A benchmark is a module with a ``measure`` function that returns its figures
(a flat dictionary whose keys end in the unit, such as ``post_gate_us``) and a
``bars`` function that returns the bars that the figures miss::

    def measure() -> dict[str, object]:
        ratio = common.median_ratio(pairs)          # [(with, without), ...]
        return {**ratio.figures("post_ratio"), "host_us": 0.31}

    def bars(figures) -> list[str]:
        return common.shortfalls(
            common.ratio_bar(figures, "post_ratio", at_most=1.03, width=0.02),
            common.at_most(figures, "host_us", 0.5),
        )

    if __name__ == "__main__":
        sys.exit(common.main(__doc__, measure, bars))

``main`` prints one JSON object on standard output.  With ``--check`` it then
prints the missed bars, one per line, and the exit status is 1.  If a figure
cannot be measured on this machine, ``measure`` raises ``Unavailable`` and the
exit status is 2.

A benchmark whose ratios are compared in CI (``compare``) also passes
``quick``, which returns the same figures from a few rounds.
"""

import argparse
import json
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


#: What bars have asked for, by figure: for the page of figures.
_WANTED: dict[str, str] = {}


class Unavailable(Exception):
    """This machine lacks what the benchmark needs; says what."""


@dataclass(frozen=True)
class Interval:
    """A median with the bounds of its 95 % confidence interval."""

    median: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """Return the distance between the bounds."""
        return self.high - self.low

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
    Raises ValueError when there is no sample.
    """
    if not samples:
        raise ValueError("no samples")
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


def ratio_bar(
    figures: Figures,
    name: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    width: float,
) -> str | None:
    """Return how a ratio with an interval misses its bar, or None.

    The bar is missed if the whole interval is above ``at_most`` or below
    ``at_least``.  An interval with the bar in it proves nothing if it is
    wider than ``width``.  ``name`` is the key that was passed to
    ``Interval.figures``.
    """
    low, high = figures[f"{name}_low"], figures[f"{name}_high"]
    shown = f"{low} to {high}"
    if missed := _missed(name, shown, low, high, at_most, at_least):
        return missed
    holds = high <= at_most if at_most is not None else low >= at_least
    if holds or round(high - low, 4) <= width:
        return None
    return f"{name}: {shown} is wider than {width}: too noisy, run it again"


def at_most(figures: Figures, name: str, limit: float) -> str | None:
    """Return how a plain figure exceeds its limit, or None."""
    value = figures[name]
    return _missed(name, value, value, value, limit, None)


def at_least(figures: Figures, name: str, limit: float) -> str | None:
    """Return how a plain figure falls below its limit, or None."""
    value = figures[name]
    return _missed(name, value, value, value, None, limit)


def _missed(
    name: str,
    shown: object,
    low: float,
    high: float,
    most: float | None,
    least: float | None,
) -> str | None:
    limit = f"at most {most}" if least is None else f"at least {least}"
    _WANTED[name] = limit
    if (most is not None and low > most) or (
        least is not None and high < least
    ):
        return f"{name}: {shown}, {limit} wanted"
    return None


def shortfalls(*bars: str | None) -> list[str]:
    """Return the bars that are missed."""
    return [bar for bar in bars if bar]


def progress(text: str) -> None:
    """Print what is being measured to standard error."""
    print(text, file=sys.stderr, flush=True)


def in_turns(
    runs: Mapping[str, Callable[[], Any]], rounds: int, warm_up: int = 1
) -> dict[str, list[Any]]:
    """Return what each run returns in each round after the first ones.

    The order is drawn for each round.
    """
    draw = random.Random(SEED)
    samples: dict[str, list[Any]] = {name: [] for name in runs}
    for number in range(warm_up + rounds):
        for name in draw.sample(list(runs), len(runs)):
            taken = runs[name]()
            if number >= warm_up:
                samples[name].append(taken)
    return samples


def main(
    about: str | None,
    measure: Callable[[], Figures],
    bars: Callable[[Figures], list[str]],
    argv: Sequence[str] | None = None,
    *,
    quick: Callable[[], Figures] | None = None,
) -> int:
    """Measure, print the JSON object and return the exit status.

    ``about`` is the benchmark's docstring, its first line the ``--help``.
    ``quick`` measures in few rounds, and holds to no bar.
    """
    parser = argparse.ArgumentParser(
        description=(about or "").partition("\n")[0]
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
    if quick:
        parser.add_argument(
            "--quick",
            action="store_true",
            help="few rounds, for tools/bench.sh compare; no bars",
        )
    options = parser.parse_args(argv)
    few = quick if quick and options.quick else None
    # An end that cleans up, as after Ctrl-C, not a sudden one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        figures = (few or measure)()
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(figures, indent=2), flush=True)
    missed = bars(figures) if options.check and not few else []
    if options.save:
        result = {"figures": figures, "bars": _WANTED, "missed": missed}
        pathlib.Path(options.save).write_text(json.dumps(result))
    for line in missed:
        print(line, flush=True)
    return 1 if missed else 0
