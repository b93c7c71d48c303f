# SPDX-License-Identifier: Apache-2.0
"""Comparison of an audit with plain paging.

Each side reads everything, by turns, in a process of its own, so that the
peak memory is that of one run.  The ratio compares the processor time of
that process from its first request on, plus that of the services that it
asks: an operator who runs an audit waits for both, one after the other.  The
client's share alone is reported without a bar.  The control is a second run
of plain paging.
"""

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from nova_vhard.policy import document
from tests.benchmarks import client, common

TURNS = 3
AUDIT, PAGE, CONTROL = "audit", "page", "control"

#: ``processor`` and ``client`` (seconds), ``count``, ``peak`` (MiB).
Took = dict[str, float]
#: Goes one way in a new process.
Go = Callable[[str], Took]


def run(
    module: str, services: Sequence[int], addresses: Sequence[str], way: str
) -> Took:
    """Run a benchmark's module as a process; return what it took.

    :param services: process ids of what it asks
    """
    begun = sum(map(client.processor_time, services))
    done = subprocess.run(
        [sys.executable, "-m", module, way, *addresses],
        cwd=client.ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    took: Took = json.loads(done.stdout)
    asked = sum(map(client.processor_time, services)) - begun
    return {**took, "processor": took["client"] + asked}


def child(go: Callable[[Any], int], clients: Any) -> None:
    """Be the new process: go, and print what it took.

    :param go: returns how many there were
    """
    begun = time.process_time()
    count = go(clients)
    took = {
        "client": time.process_time() - begun,
        "count": count,
        "peak": client.peak_mib(),
    }
    print(json.dumps(took))


def rows(command: Any, clients: Mapping[str, Any], every: str) -> int:
    """Run a command that audits; return the number of its rows.

    :param every: its option for all things of all projects
    """
    vhard = SimpleNamespace(**clients)
    manager = SimpleNamespace(vhard=vhard)
    app = SimpleNamespace(client_manager=manager, stderr=io.StringIO())
    made = command(app, None)
    policy = document.shipped("baseline")
    parsed = made.get_parser("audit").parse_args([every, f"--policy={policy}"])
    return len(list(made.take_action(parsed)[1]))


def compare(
    go: Go,
    fill: Callable[[int, int], None],
    few: int,
    many: int,
    things: str,
    turns: int = TURNS,
) -> common.Figures:
    """Go all ways in an order that is drawn, several times.

    :param fill: adds the things from the first number to the last
    :param few: number of things of an audit that is compared for its memory
    :param things: what there is; the name of the figure that counts it
    """
    fill(0, few)
    small = go(AUDIT)
    fill(few, many)
    common.progress(f"{turns} turns ...")
    took = common.in_turns(
        {
            AUDIT: lambda: go(AUDIT),
            PAGE: lambda: go(PAGE),
            CONTROL: lambda: go(PAGE),
        },
        turns,
        warm_up=0,
    )

    def ratio(way: str) -> common.Interval:
        pairs = zip(took[way], took[PAGE], strict=True)
        return common.median_ratio(
            (it["processor"], by["processor"]) for it, by in pairs
        )

    large, paged = took[AUDIT][-1], took[PAGE][-1]
    return {
        things: int(paged["count"]),
        "violations": int(large["count"]),
        **ratio(AUDIT).figures("audit_ratio"),
        **ratio(CONTROL).figures("control_ratio"),
        **{
            f"{way}{part}_us": common.median_us(it[kind] for it in took[way])
            for way in (AUDIT, PAGE)
            for part, kind in (("", "processor"), ("_client", "client"))
        },
        "audit_peak_mib": large["peak"],
        "page_peak_mib": paged["peak"],
        "audit_growth_mib": round(large["peak"] - small["peak"], 1),
    }


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
