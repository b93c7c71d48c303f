# SPDX-License-Identifier: Apache-2.0
"""Boots on two clouds by turns, and what they come to."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.benchmarks import common

#: Of an interval that needs no more pairs.
NARROW = 0.04


@dataclass(frozen=True)
class Plan:
    """How often so many clients boot so many servers on each side.

    :ivar servers: of one turn
    :ivar turns: of each side in one pair; by turns, what slows the machine
        for some seconds slows both
    :ivar poll: seconds between two questions of one client
    :ivar seconds: after which no pair is added, if there are ``least``
    """

    clients: int
    servers: int
    turns: int
    poll: float
    least: int
    most: int
    seconds: float


@dataclass
class Times:
    """The pairs of one plan: seconds with the gates, and without."""

    gates: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> common.Interval:
        """Boots a second with the gates over boots a second without."""
        return common.median_ratio(zip(self.plain, self.gates, strict=True))

    def __str__(self) -> str:
        found = self.ratio
        return (
            f"pair {len(self.gates)}: {self.gates[-1]:.2f} s with the gates, "
            f"{self.plain[-1]:.2f} without; {found.median:.3f} so far "
            f"({found.low:.3f} to {found.high:.3f})"
        )


def collect(
    plan: Plan,
    gates: Callable[[Plan], float],
    plain: Callable[[Plan], float],
    clear: Callable[[], None],
    clock: Callable[[], float] = time.monotonic,
) -> Times:
    """Boot by turns until the interval is narrow, or time is up.

    :param gates: boots on the cloud with the gates; gives the seconds
    :param plain: the same without
    :param clear: called after each pair
    """
    times, begun = Times(), clock()
    order = [(times.gates, gates), (times.plain, plain)]
    for number in itertools.count(1):
        for seconds, _ in order:
            seconds.append(0.0)
        for _ in range(plan.turns):
            for seconds, boots in order:
                seconds[-1] += boots(plan)
            order.reverse()
        clear()
        common.progress(f"  {times}")
        late = clock() - begun > plan.seconds or number >= plan.most
        if number >= plan.least and (late or times.ratio.width <= NARROW):
            return times
    raise AssertionError("count() has no end")


def figures(
    plan: Plan, times: Times, gates: list[float], plain: list[float]
) -> common.Figures:
    """Return the figures of one plan.

    :param gates: seconds of each boot, and likewise ``plain``
    """
    name = f"{plan.clients}_client{'s' if plan.clients > 1 else ''}"
    found = {
        **times.ratio.figures(f"boots_{name}_ratio"),
        f"boots_{name}_pairs": len(times.gates),
    }
    for side, pairs, boots in (
        ("gates", times.gates, gates),
        ("plain", times.plain, plain),
    ):
        rate = plan.servers * plan.turns * len(pairs) / sum(pairs)
        found[f"{side}_{name}_boots_per_second"] = round(rate, 3)
        for percent in (50, 99):
            found[f"{side}_{name}_boot_p{percent}_us"] = round(
                common.percentile(boots, percent) * 1e6
            )
    return found
