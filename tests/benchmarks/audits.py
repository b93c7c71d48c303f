# SPDX-License-Identifier: Apache-2.0
"""Comparison of an audit with plain paging.

Each side reads everything, by turns, in a process of its own, so that the
peak memory is that of one run.  The ratio compares the processor time of
that process from its first request on, plus that of the services that it
asks: an operator who runs an audit waits for both, one after the other.  The
client's share alone and the wall clock are reported without a bar.  The
control is a second run of plain paging.
"""

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.benchmarks import common
from tests.benchmarks.client import ROOT, processor_time

TURNS = 3
AUDIT, PAGE, CONTROL = "audit", "page", "control"

#: ``processor``, ``client`` and ``wall`` (seconds), ``count``, ``peak`` (MiB).
Took = dict[str, float]
#: Goes one way in a new process.
Go = Callable[[str], Took]


def run(module: str, services: Sequence[int], *arguments: str) -> Took:
    """Run a benchmark's module as a process; return what it took.

    :param services: process ids of what it asks
    :param arguments: the way, and whatever ``child`` needs
    """
    begun = sum(map(processor_time, services))
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    took: Took = json.loads(done.stdout)
    asked = sum(map(processor_time, services)) - begun
    return {**took, "processor": took["client"] + asked}


def child(go: Callable[[], int]) -> None:
    """Be the new process: go, and print what it took.

    :param go: returns how many there were
    """
    wall, client = time.perf_counter(), time.process_time()
    count = go()
    client, wall = time.process_time() - client, time.perf_counter() - wall
    status = Path("/proc/self/status").read_text()
    (line,) = (x for x in status.splitlines() if x.startswith("VmHWM"))
    peak = int(line.split()[1]) / 1024
    took = {"client": client, "wall": wall, "count": count, "peak": peak}
    print(json.dumps(took))


def compare(go: Go, small: Took, things: str) -> common.Figures:
    """Go all ways in an order that is drawn, several times.

    :param small: what an audit of a tenth took
    :param things: what there is; the name of the figure that counts it
    """
    draw = random.Random(common.SEED)
    ways = {AUDIT: AUDIT, PAGE: PAGE, CONTROL: PAGE}
    turns: list[dict[str, Took]] = []
    for number in range(TURNS):
        common.progress(f"turn {number + 1} of {TURNS} ...")
        order = draw.sample(list(ways), len(ways))
        turns.append({name: go(ways[name]) for name in order})
    large, paged = (turns[-1][name] for name in (AUDIT, PAGE))
    return {
        things: int(paged["count"]),
        "violations": int(large["count"]),
        **_ratio(turns, AUDIT, "processor").figures("audit_ratio"),
        **_ratio(turns, CONTROL, "processor").figures("control_ratio"),
        **_ratio(turns, AUDIT, "wall").figures("audit_wall_ratio"),
        **{
            f"{name}{part}_us": round(_median(turns, name, kind) * 1e6)
            for name in (AUDIT, PAGE)
            for part, kind in (("", "processor"), ("_client", "client"))
        },
        "audit_peak_mib": round(large["peak"], 1),
        "page_peak_mib": round(paged["peak"], 1),
        "audit_growth_mib": round(large["peak"] - small["peak"], 1),
    }


def _ratio(
    turns: Sequence[dict[str, Took]], name: str, kind: str
) -> common.Interval:
    """Return what a way took over what paging took."""
    return common.median_ratio(
        (turn[name][kind], turn[PAGE][kind]) for turn in turns
    )


def _median(turns: Sequence[dict[str, Took]], name: str, kind: str) -> float:
    return statistics.median(turn[name][kind] for turn in turns)


def bars(
    figures: common.Figures, things: str, many: int, most: float
) -> list[str]:
    """Name the bars that are missed.

    :param most: of an audit, in terms of paging
    """
    return common.shortfalls(
        common.ratio_bar(figures, "audit_ratio", at_most=most, width=0.05),
        common.at_least(figures, things, many),
        common.at_most(figures, "audit_growth_mib", 32),
    )
