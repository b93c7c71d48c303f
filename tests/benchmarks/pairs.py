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

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path
from typing import Any

from tests.benchmarks import client, common

#: Seconds of the processor: with the gate, without it, the control.
Turn = tuple[float, float, float]

NARROW = 0.014  # below what the bars ask for: the next run differs a little
#: Seconds after which no round is begun.
LIMIT = 600


class Sides:
    """A service with the gate and two without, asked by turns.

    A side has a method for each kind of request that returns what it took.
    """

    def __init__(self, *sides: Any) -> None:
        self._sides = sides
        self._draw = random.Random(common.SEED)

    def turn(self, timing: Callable[[Any], float]) -> Turn:
        """Return what one request each took, in an order that is drawn."""
        order = self._draw.sample(range(3), 3)
        took = {index: timing(self._sides[index]) for index in order}
        return took[0], took[1], took[2]


@dataclass(frozen=True)
class Plan:
    """Requests to measure, and the number of turns and rounds.

    :ivar kinds: kinds of requests
    :ivar turns: turns of each kind in a round
    :ivar least: minimum number of rounds
    :ivar most: maximum number of rounds, even if the intervals are still wide
    """

    kinds: Sequence[str]
    turns: int
    least: int
    most: int
    warm_up: int = 15


def ratio(turns: Sequence[Turn], side: int = 0) -> common.Interval:
    """Return the median ratio of a side's processor time to the peer's.

    :param side: of a turn; 2 for the control
    """
    return common.median_ratio((turn[side], turn[1]) for turn in turns)


def play(
    name: str,
    plan: Plan,
    running: Callable[[Path], AbstractContextManager[Sides]],
) -> common.Figures:
    """Play rounds, each with new servers; return the figures.

    :param running: runs the servers in a directory until its block ends
    """
    turns: dict[str, list[Turn]] = {kind: [] for kind in plan.kinds}
    timings = {kind: methodcaller(kind) for kind in plan.kinds}
    begun = time.monotonic()
    for number in range(1, plan.most + 1):
        common.progress(
            f"requests, round {number} of {plan.least} to {plan.most} ..."
        )
        with client.folder(name) as place, running(place) as sides:
            for turn in range(plan.warm_up + plan.turns):
                for kind, timing in timings.items():
                    taken = sides.turn(timing)
                    if turn >= plan.warm_up:
                        turns[kind].append(taken)
        width = max(ratio(listed).width for listed in turns.values())
        late = time.monotonic() - begun > LIMIT
        if late or (number >= plan.least and width <= NARROW):
            break
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
