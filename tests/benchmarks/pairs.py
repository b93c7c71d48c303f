# SPDX-License-Identifier: Apache-2.0
"""Processor time that a gate adds to a service, measured by turns, as ratios.

Three sides are the same service over HTTP on loopback: one with the gate, two
with a filter in its place that only calls the application.  The ratios compare
the processor time that a request takes in the server and in everything that
the server calls for it (Glance, Neutron, a database process), until they are
at rest.  The wall clock is reported without a bar: on a machine that does
anything else, it differs by some percent between whole processes.

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
import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path
from typing import Any

from tests.benchmarks import common
from tests.benchmarks.client import Took

Turn = tuple[Took, Took, Took]  # with the gate, without it, the control
Turns = dict[str, list[Turn]]

NARROW = 0.014  # below what the bars ask for: the next run differs a little
#: Seconds after which no round is begun.
LIMIT = 600


class Sides:
    """A service with the gate and two without, asked by turns.

    A side has a method for each kind of request that returns what it took.
    """

    def __init__(self, gate: Any, plain: Any, control: Any) -> None:
        self.gate, self.plain = gate, plain
        self._all = (gate, plain, control)
        self._draw = random.Random(common.SEED)

    def turn(self, timing: Callable[[Any], Took]) -> Turn:
        """Return what one request each took, in an order that is drawn."""
        order = self._draw.sample(range(3), 3)
        took = {index: timing(self._all[index]) for index in order}
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
    return common.median_ratio(
        (turn[side].processor, turn[1].processor) for turn in turns
    )


def play_round(plan: Plan, sides: Sides, turns: Turns) -> None:
    """Add one round's turns of each kind."""
    timings = {kind: methodcaller(kind) for kind in plan.kinds}
    for _ in range(plan.warm_up):
        for timing in timings.values():
            sides.turn(timing)
    for _ in range(plan.turns):
        for kind, timing in timings.items():
            turns[kind].append(sides.turn(timing))


def play(
    plan: Plan,
    running: Callable[[Path], AbstractContextManager[Sides]],
    directory: Path,
    clock: Callable[[], float] = time.monotonic,
) -> common.Figures:
    """Play rounds, each with new servers; return the figures.

    :param running: runs the servers in a directory until its block ends
    """
    turns: Turns = {kind: [] for kind in plan.kinds}
    begun = clock()
    for number in range(1, plan.most + 1):
        common.progress(
            f"requests, round {number} of {plan.least} to {plan.most} ..."
        )
        place = directory / f"round-{number}"
        with running(place) as sides:
            play_round(plan, sides, turns)
        shutil.rmtree(place)
        width = max(ratio(listed).width for listed in turns.values())
        late = clock() - begun > LIMIT
        if late or (number >= plan.least and width <= NARROW):
            break
    return {"rounds": number, **figures(turns)}


def figures(turns: Mapping[str, Sequence[Turn]]) -> common.Figures:
    """Return ratios, medians with and without, and what is added."""
    result: common.Figures = {}
    for kind, listed in turns.items():
        walls = [(gate.wall, plain.wall) for gate, plain, _ in listed]
        result |= {
            **ratio(listed).figures(f"{kind}_ratio"),
            **ratio(listed, 2).figures(f"{kind}_control_ratio"),
            **common.median_ratio(walls).figures(f"{kind}_wall_ratio"),
            f"{kind}_gate_us": _us(gate for gate, _, _ in listed),
            f"{kind}_plain_us": _us(plain for _, plain, _ in listed),
            f"{kind}_added_us": round(
                statistics.median(
                    gate.processor - plain.processor
                    for gate, plain, _ in listed
                )
                * 1e6,
                2,
            ),
            f"{kind}_turns": len(listed),
        }
    return result


def _us(took: Any) -> float:
    return common.median_us(each.processor for each in took)
