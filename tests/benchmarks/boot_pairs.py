# SPDX-License-Identifier: Apache-2.0
"""Boots on three clouds by turns, and their ratios."""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.benchmarks import common

#: Of an interval that needs no more turns.
NARROW = 0.03

#: Seconds of the processor a boot: with the gates, without, the control.
Turn = tuple[float, float, float]
#: Boots so many servers at once; returns seconds of the processor a boot.
Boots = Callable[[int], float]


@dataclass(frozen=True)
class Plan:
    """Number of servers booted at once on each cloud, and number of turns.

    :ivar least: minimum number of turns
    :ivar most: maximum number of turns, even if the intervals are still wide
    :ivar seconds: time after which no turn is added, once ``least`` are done
    """

    servers: int
    least: int
    most: int
    seconds: float

    @property
    def name(self) -> str:
        """Return the prefix of the figures' names."""
        return "boot" if self.servers == 1 else f"boot_{self.servers}_at_once"


def ratio(turns: Sequence[Turn], side: int = 0) -> common.Interval:
    """Return a side's processor time over that of the cloud without gates.

    :param side: of a turn; 2 for the control
    """
    return common.median_ratio((turn[side], turn[1]) for turn in turns)


def collect(
    plan: Plan,
    sides: Sequence[Boots],
    clear: Callable[[], None],
    clock: Callable[[], float] = time.monotonic,
) -> list[Turn]:
    """Boot by turns until the intervals are narrow, or time is up.

    :param sides: with the gates, without, the control; in an order that is
        drawn for each turn
    :param clear: called after each turn
    """
    draw, begun = random.Random(common.SEED), clock()
    turns: list[Turn] = []
    while len(turns) < plan.most:
        took = [0.0, 0.0, 0.0]
        for side in draw.sample(range(3), 3):
            took[side] = sides[side](plan.servers)
        turns.append((took[0], took[1], took[2]))
        clear()
        common.progress(f"  {_words(turns)}")
        width = max(ratio(turns, side).width for side in (0, 2))
        late = clock() - begun > plan.seconds
        if len(turns) >= plan.least and (late or width <= NARROW):
            break
    return turns


def _words(turns: Sequence[Turn]) -> str:
    gates, plain, control = (f"{took * 1e3:.0f}" for took in turns[-1])
    result = ratio(turns)
    return (
        f"turn {len(turns)}: {gates} ms with the gates, {plain} without, "
        f"{control} the control; {result.median:.3f} so far "
        f"({result.low:.3f} to {result.high:.3f})"
    )


def figures(plan: Plan, turns: Sequence[Turn]) -> common.Figures:
    """Return the figures of one plan."""
    gates, plain, _ = zip(*turns, strict=True)
    added = statistics.median(turn[0] - turn[1] for turn in turns)
    return {
        **ratio(turns).figures(f"{plan.name}_ratio"),
        **ratio(turns, 2).figures(f"{plan.name}_control_ratio"),
        f"{plan.name}_gates_us": common.median_us(gates),
        f"{plan.name}_plain_us": common.median_us(plain),
        f"{plan.name}_added_us": round(added * 1e6, 2),
        f"{plan.name}_turns": len(turns),
    }
