# SPDX-License-Identifier: Apache-2.0
"""Scheduling through Nova's own scheduler, with our filter first and without.

One ``select_destinations`` is one boot of a plain server, on Nova's own code
(see ``scheduler_fleet``) and, for up to 1,000 hosts, a real Placement in this
process, so that its processor time counts as well.  The filters are those that
Nova enables by default.  Ours is under policy baseline with a
demand on every host (``hosts.require``), so that posture is asked for, too.

Two schedulers in one process take turns over the same hosts, now the one
first and now the other, timed in the processor time of the process: Nova reads
its cells in threads.  What other processes do is not theirs.  Before each the
garbage of the last one is collected.  A ratio is throughput with ours over
without: the time without over the time with.  Among 10,000 hosts, the answers
of Placement are canned and take no time, so that in a cloud ours is a smaller
part.

Memory is what the posture keeps for the fleet, and its most while it is
loaded, as Python's allocator sees it (tracemalloc).
"""

import gc
import os
import sys
import tempfile
import time
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

# As in nova-scheduler 33 and later; must precede any import of Nova.
os.environ.setdefault("OS_NOVA_DISABLE_EVENTLET_PATCHING", "1")

from nova import context

from nova_vhard.placement.client import Placement
from nova_vhard.placement.posture import Posture, Question
from tests.benchmarks import (
    common,
    filter_cost,
    filter_fleet,
    scheduler_fleet,
)

SMALL, LARGE = filter_fleet.SIZES
#: Pairs at each size.
FULL = {1: 200, SMALL: 40, LARGE: 14}
QUICK = {1: 60}
WARM_UP = 2
OURS = "VirtHardeningFilter"
#: The least throughput, also with one host. Reading what Nova has stored takes
#: the same time for any number.
LEAST, OF_ONE = 0.97, 0.87


def boot(scheduler: Any) -> float:
    """Return the seconds of the processor that one boot takes."""
    asked = scheduler_fleet.boot(filter_cost.CLEAN)
    admin = context.get_admin_context()
    gc.collect()
    start = time.process_time()
    ((chosen, *_),) = scheduler.select_destinations(
        admin,
        spec_obj=asked,
        instance_uuids=[asked.instance_uuid],
        return_objects=True,
        return_alternates=True,
    )
    taken = time.process_time() - start
    assert chosen.service_host.startswith("compute")
    return taken


def throughput(
    ours: Any, plain: Any, number: int, pairs: int
) -> common.Figures:
    """Return the figures of so many pairs of boots."""
    samples = common.in_turns(
        {"with": lambda: boot(ours), "without": lambda: boot(plain)},
        pairs,
        WARM_UP,
    )
    # The other way round than a ratio of times: the more, the better.
    ratio = common.median_ratio(
        zip(samples["without"], samples["with"], strict=True)
    )
    result = ratio.figures(f"throughput_{number}_hosts_ratio")
    for name, taken in samples.items():
        result[f"boot_{name}_{number}_hosts_us"] = common.median_us(taken)
    return result


def memory(number: int) -> common.Figures:
    """Return what a posture of so many hosts keeps, and needs to load."""
    nodes = [
        filter_fleet.node(f"compute{index:05}", index)
        for index in range(number)
    ]
    client = scheduler_fleet.PlacementStandIn(nodes)
    question = Question(frozenset(("iommu",)), 2)
    posture = Posture(lambda: Placement(client), 60, 600)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        assert len(posture.hosts(question)) == number
        gc.collect()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return {
        f"posture_{number}_hosts_mib": round((after - before) / 2**20, 2),
        f"posture_{number}_hosts_loading_peak_mib": round(
            (peak - before) / 2**20, 2
        ),
    }


def measured(plan: dict[int, int]) -> common.Figures:
    """Return the figures of fleets.

    :param plan: number of hosts to number of pairs
    """
    figures: common.Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        scheduler_fleet.prepare(root)
        filter_fleet.configure(root, filter_fleet.PROVEN)
        for number, pairs in plan.items():
            common.progress(f"{number} hosts, {pairs} pairs ...")
            fleet = scheduler_fleet.Fleet(number)
            ours, plain = fleet.scheduler(OURS), fleet.scheduler()
            gc.collect()
            gc.freeze()  # what stays is not looked through before each boot
            figures |= throughput(ours, plain, number, pairs)
            figures |= memory(number)
    return figures


def bars(figures: common.Figures) -> list[str]:
    """Return what falls short."""
    return common.shortfalls(
        *(
            common.ratio_bar(
                figures,
                f"throughput_{number}_hosts_ratio",
                at_least=LEAST if number > 1 else OF_ONE,
                width=0.05,
            )
            for number in FULL
        ),
        common.at_most(figures, f"posture_{LARGE}_hosts_mib", 16),
    )


if __name__ == "__main__":
    sys.exit(
        common.main(
            __doc__,
            partial(measured, FULL),
            bars,
            quick=partial(measured, QUICK),
        )
    )
