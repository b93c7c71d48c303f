# SPDX-License-Identifier: Apache-2.0
"""Cost of the gates before any request, and of a command on a workstation.

In a new process for each of nova-api, nova-scheduler and glance-api: the
service's own modules are imported, then the gate's, and policy baseline is
loaded.  ``…_import_us`` is the processor time that the second takes,
``…_import_ratio`` what part that is of the service's own imports, and
``…_mib`` the memory that is the process's alone after it less before it, both
after the garbage has been collected.  It is the median of several processes.

``openstack vhard policy check`` is beside ``openstack --version``, which
imports openstackclient and runs nothing, and ``openstack module list``, a
command of openstackclient that asks no cloud either.  A ratio is that of the
processor time of whole processes, in an order that is drawn for each turn.
The control is ``--version`` again.
"""

import gc
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

# As nova-api and nova-scheduler 33 and later.
os.environ.setdefault("OS_NOVA_DISABLE_EVENTLET_PATCHING", "1")

from tests.benchmarks import common
from tests.benchmarks.client import ROOT, spent

PROCESSES, TURNS = 7, 20
#: Measured: 0.03 for nova-api, 0.05 for glance-api, 0.07 for nova-scheduler.
IMPORT_RATIO, MIB = 0.08, 12

#: Service: what it imports by itself, and what for the gate.
SERVICES = {
    "nova_api": (
        ("nova.api.openstack.compute", "nova.api.openstack.wsgi_app"),
        "nova_vhard.gates.nova_api",
    ),
    "nova_scheduler": (
        ("nova.scheduler.manager", "nova.scheduler.rpcapi"),
        "nova_vhard.gates.scheduler",
    ),
    "glance_api": (
        ("glance.api.v2.router", "glance.common.wsgi_app"),
        "nova_vhard.gates.glance_api",
    ),
}
COMMANDS = {
    "version": ("--version",),
    "control": ("--version",),
    "module_list": ("module", "list"),
    "policy_check": ("vhard", "policy", "check", "baseline"),
}


def own_mib() -> float:
    """Return the memory that this process shares with nobody, in MiB."""
    gc.collect()
    rows = Path("/proc/self/smaps_rollup").read_text().splitlines()
    kib = (int(row.split()[1]) for row in rows if row.startswith("Private"))
    return sum(kib) / 1024


def child(service: str) -> None:
    """Be a new process of a service, and print what the gate adds."""
    theirs, ours = SERVICES[service]
    started = time.process_time()
    for module in theirs:
        importlib.import_module(module)
    without = time.process_time() - started
    before, begun = own_mib(), time.process_time()
    importlib.import_module(ours)
    document = importlib.import_module("nova_vhard.policy.document")
    policy = document.load(document.shipped("baseline"))
    taken = time.process_time() - begun
    assert policy.digest
    print(
        json.dumps(
            {
                "taken": taken,
                "share": taken / without,
                "mib": own_mib() - before,
            }
        )
    )


def gates() -> common.Figures:
    """Return what each gate adds to its service."""
    figures: common.Figures = {}
    for service in SERVICES:
        common.progress(f"{service} ...")
        command = [sys.executable, "-m", __spec__.name, service]
        added = []
        for _ in range(PROCESSES + 1):
            printed = subprocess.check_output(command, cwd=ROOT, text=True)
            added.append(json.loads(printed.splitlines()[-1]))
        figures[f"{service}_import_us"] = common.median_us(
            each["taken"] for each in added[1:]
        )
        figures[f"{service}_import_ratio"] = round(
            statistics.median(each["share"] for each in added[1:]), 3
        )
        mib = statistics.median(each["mib"] for each in added[1:])
        figures[f"{service}_mib"] = round(mib, 2)
    return figures


def commands() -> common.Figures:
    """Return what openstack costs with each of its words, and ratios."""
    common.progress(f"openstack, {TURNS} turns ...")
    program = str(Path(sys.executable).with_name("openstack"))
    with tempfile.TemporaryDirectory() as place:
        # Libraries keep entry points there; the first turn fills it.
        env = {**os.environ, "XDG_CACHE_HOME": place}
        taken = common.in_turns(
            {
                name: partial(spent, [program, *words], env=env)
                for name, words in COMMANDS.items()
            },
            TURNS,
        )
    figures: common.Figures = {}
    for name, peer in (
        ("policy_check", "version"),
        ("policy_check", "module_list"),
        ("control", "version"),
    ):
        pairs = zip(taken[name], taken[peer], strict=True)
        ratio = common.median_ratio(pairs)
        figures |= ratio.figures(f"{name}_to_{peer}_ratio")
    for name, seconds in taken.items():
        figures[f"{name}_us"] = common.median_us(seconds)
    return figures


def measure() -> common.Figures:
    """Return all figures."""
    return {**gates(), **commands()}


def bars(figures: common.Figures) -> list[str]:
    """Name the bars that are missed."""
    return common.shortfalls(
        *(
            common.at_most(figures, f"{service}_import_ratio", IMPORT_RATIO)
            for service in SERVICES
        ),
        *(
            common.at_most(figures, f"{service}_mib", MIB)
            for service in SERVICES
        ),
        # No bar beside --version: a command that does nothing takes 1.27 of
        # it, since openstackclient loads every command before it runs any.
        common.ratio_bar(
            figures, "policy_check_to_module_list_ratio", at_most=1, width=0.1
        ),
    )


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in SERVICES:
        child(sys.argv[1])
    else:
        sys.exit(common.main(__doc__, measure, bars))
