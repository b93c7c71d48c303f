# SPDX-License-Identifier: Apache-2.0
"""Processor time that a gate adds to a service, measured by turns, as ratios.

Three sides are the same service over HTTP on loopback: one with the gate, two
with a filter in its place that only calls the application.  The ratios compare
the processor time that a request takes in the server and in everything that
the server calls for it (Glance, Neutron, a database process), until they are
at rest.

One of the two sides without the gate is the peer, the other the control: its
ratio shows how much two identical sides differ.

- The three are asked by turns, in an order that is drawn for each turn.
- Two processes differ by a percent or two from the start, even if they are
  forked from one.  So, where the services can be the same, the sides are
  routes into one process, which is new in every round.
- Rounds are added until the intervals are narrow, ``most`` rounds are done or
  ten minutes are over.

A ratio is gate/plain or control/plain.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks import client, common

#: Seconds of the processor: with the gate, without it, the control.
Turn = tuple[float, float, float]

NARROW = 0.014  # below what the bars ask for: the next run differs a little
#: Seconds after which no round is begun.
LIMIT = 600


@dataclass(frozen=True)
class Plan:
    """The number of turns and rounds.

    :ivar turns: turns of each kind in a round
    :ivar least: minimum number of rounds
    :ivar most: maximum number of rounds, even if the intervals are still wide
    :ivar narrow: width of intervals that need no more rounds
    :ivar seconds: time after which no round is begun, once ``least`` are done
    """

    turns: int
    least: int
    most: int
    warm_up: int = 15
    narrow: float = NARROW
    seconds: float = LIMIT


def ratio(turns: Sequence[Turn], side: int = 0) -> common.Interval:
    """Return the median ratio of a side's processor time to the peer's.

    :param side: of a turn; 2 for the control
    """
    return common.median_ratio((turn[side], turn[1]) for turn in turns)


def rounds(plan: Plan, turns: Mapping[str, Sequence[Turn]]) -> Iterator[int]:
    """Yield numbers of rounds, until the intervals are narrow.

    :param turns: turns by kind; the caller adds those of each round
    """
    begun = time.monotonic()
    for number in range(1, plan.most + 1):
        common.progress(
            f"{', '.join(turns)}, round {number} of {plan.least} to "
            f"{plan.most} ..."
        )
        yield number
        late = time.monotonic() - begun > plan.seconds
        intervals = [ratio(x, side) for x in turns.values() for side in (0, 2)]
        narrow = all(x.high - x.low <= plan.narrow for x in intervals)
        if number >= plan.least and (late or narrow):
            break


def play(
    name: str,
    plan: Plan,
    kinds: Sequence[str],
    running: Callable[[Path], AbstractContextManager[Sequence[Any]]],
) -> common.Figures:
    """Play rounds, each with new servers; return the figures.

    :param kinds: kinds of requests; a side has a method for each, which
        returns the time of a request
    :param running: runs the three sides in a directory until its block ends
    """
    turns: dict[str, list[Turn]] = {kind: [] for kind in kinds}
    for number in rounds(plan, turns):  # noqa: B007
        with client.folder(name) as place, running(place) as sides:
            for kind in kinds:
                calls = {n: getattr(x, kind) for n, x in enumerate(sides)}
                took = common.in_turns(calls, plan.turns, plan.warm_up)
                listed = (took[side] for side in range(3))
                turns[kind] += zip(*listed, strict=True)
    return {"rounds": number, **figures(turns)}


def figures(
    turns: Mapping[str, Sequence[Turn]], gate: str = "gate"
) -> common.Figures:
    """Return ratios, medians with and without, and what is added.

    :param turns: by the name of what they are of
    """
    result: common.Figures = {}
    for kind, listed in turns.items():
        with_it, without, _ = zip(*listed, strict=True)
        added = statistics.median(turn[0] - turn[1] for turn in listed)
        result |= {
            **ratio(listed).figures(f"{kind}_ratio"),
            **ratio(listed, 2).figures(f"{kind}_control_ratio"),
            f"{kind}_{gate}_us": common.median_us(with_it),
            f"{kind}_plain_us": common.median_us(without),
            f"{kind}_added_us": round(added * 1e6, 2),
            f"{kind}_turns": len(listed),
        }
    return result
