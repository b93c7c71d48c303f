# SPDX-License-Identifier: Apache-2.0
"""How an audit is measured beside plain paging.

Each goes through everything, in turn, and in a process of its own, so that a
process tells what it needed at most.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import common
from tests.benchmarks.client import ROOT

PAIRS = 5
AUDIT, PAGE = "audit", "page"

#: ``taken`` (seconds), ``count``, ``peak`` (MiB).
Took = dict[str, float]
#: Goes one way in a new process.
Go = Callable[[str], Took]


def run(module: str, *arguments: str) -> Took:
    """Run a benchmark's module as a process; return what it printed.

    :param arguments: the way, and whatever ``child`` needs
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return dict(json.loads(done.stdout))


def child(go: Callable[[], int]) -> None:
    """Be the new process: go, and print what it took.

    :param go: returns how many there were
    """
    start = time.perf_counter()
    count = go()
    taken = time.perf_counter() - start
    status = Path("/proc/self/status").read_text()
    (line,) = (x for x in status.splitlines() if x.startswith("VmHWM"))
    peak = int(line.split()[1]) / 1024
    print(json.dumps({"taken": taken, "count": count, "peak": peak}))


def compare(go: Go, small: Took, things: str) -> common.Figures:
    """Go both ways in turn, several times.

    :param small: what an audit of a tenth took
    :param things: what there is; the name of the figure that counts it
    """
    pairs = []
    for number in range(PAIRS):
        common.progress(f"pair {number + 1} of {PAIRS} ...")
        ways = (PAGE, AUDIT) if number % 2 else (AUDIT, PAGE)
        took = {way: go(way) for way in ways}
        pairs.append((took[AUDIT]["taken"], took[PAGE]["taken"]))
    large = took[AUDIT]
    return {
        things: int(took[PAGE]["count"]),
        "violations": int(large["count"]),
        **common.median_ratio(pairs).figures("audit_ratio"),
        "audit_us": common.median_us(pair[0] for pair in pairs),
        "paging_us": common.median_us(pair[1] for pair in pairs),
        "audit_peak_mib": round(large["peak"], 1),
        "paging_peak_mib": round(took[PAGE]["peak"], 1),
        "audit_growth_mib": round(large["peak"] - small["peak"], 1),
    }


def bars(figures: common.Figures, things: str, many: int) -> list[str]:
    """Name the bars that are missed."""
    return common.shortfalls(
        common.at_most(figures, "audit_ratio", 1.3),
        common.at_least(figures, things, many),
        common.at_most(figures, "audit_growth_mib", 32),
    )
