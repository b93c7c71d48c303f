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
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from nova_vhard.policy import document
from tests.benchmarks import client, common

#: ``processor`` and ``client`` (seconds), ``count``, ``peak`` (MiB).
Took = dict[str, float]
#: Function that adds things from the first number to the last; the services.
Filled = tuple[Callable[[int, int], None], list[client.Client]]


def run(module: str, services: Sequence[client.Client], way: str) -> Took:
    """Run a function of a benchmark's module in a process; return its cost.

    :param services: services that it uses
    :param way: name of the function
    """
    pids = [each.pid for each in services]
    command = [
        *(sys.executable, "-m", __name__, module, way),
        *(each.url for each in services),
    ]
    begun = sum(map(client.processor_time, pids))
    done = subprocess.check_output(command, cwd=client.ROOT)
    asked = sum(map(client.processor_time, pids)) - begun
    took: Took = json.loads(done)
    return {**took, "processor": took["client"] + asked}


def audit(command: Any, clients: dict[str, Any], every: str) -> int:
    """Run a command that audits; return the number of its rows.

    :param every: its option for all things of all projects
    """
    manager = SimpleNamespace(vhard=SimpleNamespace(**clients))
    app = SimpleNamespace(client_manager=manager, stderr=io.StringIO())
    made = command(app, None)
    policy = document.shipped("baseline")
    parsed = made.get_parser("audit").parse_args([every, f"--policy={policy}"])
    return len(list(made.take_action(parsed)[1]))


def compare(module: Any, things: str) -> common.Figures:
    """Go all ways in an order that is drawn, several times.

    :param module: of a benchmark: ``cloud`` runs the services and yields them
        with a function that fills them, FEW and MANY are numbers of things,
        ``clients``, ``page`` and ``audit`` are for the new processes
    :param things: what there is; the name of the figure that counts it
    """
    with module.cloud() as (fill, services):
        go = partial(run, module.__name__, services)
        fill(0, module.FEW)
        small = go("audit")
        fill(module.FEW, module.MANY)
        common.progress(f"{module.TURNS} turns ...")
        ways = {"audit": "audit", "page": "page", "control": "page"}
        runs = {name: partial(go, way) for name, way in ways.items()}
        took = common.in_turns(runs, module.TURNS, warm_up=0)
    both = {n: [x["processor"] for x in took[n]] for n in ways}
    large, paged = took["audit"][-1], took["page"][-1]
    return {
        things: int(paged["count"]),
        "violations": int(large["count"]),
        **common.ratio(both, "audit", "page", "audit_ratio"),
        **common.ratio(both, "control", "page", "control_ratio"),
        **{
            f"{way}{part}_us": common.median_us(it[kind] for it in took[way])
            for way in ("audit", "page")
            for part, kind in (("", "processor"), ("_client", "client"))
        },
        "audit_peak_mib": large["peak"],
        "page_peak_mib": paged["peak"],
        "audit_growth_mib": round(large["peak"] - small["peak"], 1),
    }


def main(name: str, way: str, *addresses: str) -> None:
    """Run in the new process: call the function, and print its cost."""
    module = import_module(name)
    clients = module.clients(*addresses)
    begun = time.process_time()
    count = getattr(module, way)(clients)
    taken = time.process_time() - begun
    took = {"client": taken, "count": count, "peak": client.peak_mib()}
    print(json.dumps(took))


if __name__ == "__main__":
    main(*sys.argv[1:])
