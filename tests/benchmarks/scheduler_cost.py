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
import tempfile
import time
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

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
BARS = {
    # With one host: reading what Nova has stored takes the same time for any
    # number.
    "throughput_1_hosts_ratio": {"at_least": 0.87, "width": 0.05},
    "throughput_1000*_hosts_ratio": {"at_least": 0.97, "width": 0.05},
    f"posture_{LARGE}_hosts_mib": {"at_most": 16},
}


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
        {"with": partial(boot, ours), "without": partial(boot, plain)},
        pairs,
        WARM_UP,
    )
    # The other way round than a ratio of times: the more, the better.
    ratio = f"throughput_{number}_hosts_ratio"
    return common.ratio(samples, "without", "with", ratio) | {
        f"boot_{name}_{number}_hosts_us": common.median_us(taken)
        for name, taken in samples.items()
    }


def memory(number: int) -> common.Figures:
    """Return what a posture of so many hosts keeps, and needs to load."""
    nodes = filter_fleet.nodes(number)
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


measure = partial(measured, FULL)
quick = partial(measured, QUICK)
