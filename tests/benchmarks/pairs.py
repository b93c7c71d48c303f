# SPDX-License-Identifier: Apache-2.0
"""What a gate adds to a service: pairs of requests, rounds and ratios.

Two servers run the same service over HTTP on loopback, one with the gate, one
with a filter in its place that only calls on.  Their requests are sent in
pairs, now the one first and now the other, and every pair counts.  Three
things would otherwise be taken for a cost of the gate:

- A server that answered last is warm.  Before each pair the server that comes
  second in it gets the same request, which is not timed: so both are cold.
- Two processes differ by a percent from birth.  The servers are forked from
  one process, and anew for every round.
- Other load on the machine.  Rounds go on until the intervals are narrow, or
  there are ``most`` of them.

A ratio is gate/plain.  Where a gate has to look something up, its ratio is
gate/(plain + look-ups): the same request and those look-ups without the gate.
"""

import itertools
import shutil
import statistics
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path
from typing import Any

from tests.benchmarks import common

Pair = tuple[float, float]  # seconds with the gate, and without
Pairs = dict[str, list[Pair]]

NARROW = 0.014  # below what the bars ask for: the next run differs a little


class Sides:
    """A server with the gate and one without, asked by turns.

    A side has a method for each kind of request that returns its duration in
    seconds.
    """

    def __init__(self, gate: Any, plain: Any) -> None:
        self.gate, self.plain = gate, plain
        self._turn = itertools.cycle((False, True))

    def pair(self, timing: Callable[[Any], float], *, cold: bool) -> Pair:
        """Return (gate, plain) of one request each, first by turns.

        :param cold: the one that comes second gets it before, untimed
        """
        gate_first = next(self._turn)
        order = [self.plain, self.gate]
        if gate_first:
            order.reverse()
        if cold:
            timing(order[1])
        first, second = timing(order[0]), timing(order[1])
        return (first, second) if gate_first else (second, first)


@dataclass(frozen=True)
class Plan:
    """What is measured, and how often.

    :ivar ratios: kinds of requests, each with the kinds of its look-ups
    :ivar pairs: of each kind, a round
    :ivar least: rounds
    :ivar most: rounds, however wide the intervals are
    """

    ratios: Mapping[str, tuple[str, ...]]
    pairs: int
    least: int
    most: int
    warm_up: int = 15

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind of request, each once."""
        looked_up = itertools.chain.from_iterable(self.ratios.values())
        return tuple(dict.fromkeys((*self.ratios, *looked_up)))

    def ratio(self, pairs: Pairs, kind: str) -> common.Interval:
        """Return the median ratio of a kind of request; see the module."""
        asked = (kind, *self.ratios[kind])
        plain = zip(
            *([pair[1] for pair in pairs[name]] for name in asked), strict=True
        )
        return common.median_ratio(
            (gate, sum(parts))
            for (gate, _), parts in zip(pairs[kind], plain, strict=True)
        )


def play_round(plan: Plan, sides: Sides, pairs: Pairs) -> None:
    """Add one round's pairs of each kind."""
    timings = {kind: methodcaller(kind) for kind in plan.kinds}
    for _ in range(plan.warm_up):
        for timing in timings.values():
            sides.pair(timing, cold=False)
    for _ in range(plan.pairs):
        for kind, timing in timings.items():
            pairs[kind].append(sides.pair(timing, cold=True))


def play(
    plan: Plan,
    running: Callable[[Path], AbstractContextManager[Sides]],
    directory: Path,
) -> common.Figures:
    """Play rounds, each with two new servers; return the figures.

    :param running: runs the servers in a directory until its block ends
    """
    pairs: Pairs = {kind: [] for kind in plan.kinds}
    for number in range(1, plan.most + 1):
        common.progress(
            f"requests, round {number} of {plan.least} to {plan.most} ..."
        )
        place = directory / f"round-{number}"
        with running(place) as sides:
            play_round(plan, sides, pairs)
        shutil.rmtree(place)
        widths = [plan.ratio(pairs, kind).width for kind in plan.ratios]
        if number >= plan.least and max(widths) <= NARROW:
            break
    return {"rounds": number, **figures(plan, pairs)}


def figures(plan: Plan, pairs: Pairs) -> common.Figures:
    """Return ratios, medians with and without, and what is added."""
    found: common.Figures = {}
    for kind, listed in pairs.items():
        if kind in plan.ratios:
            found |= plan.ratio(pairs, kind).figures(f"{kind}_ratio")
        found |= {
            f"{kind}_gate_us": common.median_us(pair[0] for pair in listed),
            f"{kind}_plain_us": common.median_us(pair[1] for pair in listed),
            f"{kind}_added_us": round(
                statistics.median(gate - plain for gate, plain in listed)
                * 1e6,
                2,
            ),
            f"{kind}_pairs": len(listed),
        }
    return found
