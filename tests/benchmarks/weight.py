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

from tests.benchmarks import common
from tests.benchmarks.client import ROOT, spent

PROCESSES, TURNS = 7, 20
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
BARS = {
    # Measured: 0.03 for nova-api, 0.05 for glance-api, 0.07 for the scheduler.
    "*_import_ratio": {"at_most": 0.08},
    "*_mib": {"at_most": 12},
    # No bar beside --version: a command that does nothing takes 1.27 of it,
    # since openstackclient loads every command before it runs any.
    "policy_check_to_module_list_ratio": {"at_most": 1, "width": 0.1},
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
    share, mib = taken / without, own_mib() - before
    print(json.dumps({"taken": taken, "share": share, "mib": mib}))


def measure() -> common.Figures:
    """Return what each gate adds to its service, and what openstack costs."""
    figures: common.Figures = {}
    for service in SERVICES:
        common.progress(f"{service} ...")
        command = [sys.executable, "-m", __name__, service]
        # The first one fills caches.
        _, *added = (
            json.loads(
                subprocess.check_output(command, cwd=ROOT).splitlines()[-1]
            )
            for _ in range(PROCESSES + 1)
        )
        taken, share, mib = zip(
            *(each.values() for each in added), strict=True
        )
        figures |= {
            f"{service}_import_us": common.median_us(taken),
            f"{service}_import_ratio": round(statistics.median(share), 3),
            f"{service}_mib": round(statistics.median(mib), 2),
        }
    common.progress(f"openstack, {TURNS} turns ...")
    program = str(Path(sys.executable).with_name("openstack"))
    with tempfile.TemporaryDirectory() as place:
        # Libraries keep entry points there; the first turn fills it.
        env = {**os.environ, "XDG_CACHE_HOME": place}
        samples = common.in_turns(
            {
                name: partial(spent, [program, *words], env=env)
                for name, words in COMMANDS.items()
            },
            TURNS,
        )
    for name, peer in (
        ("policy_check", "version"),
        ("policy_check", "module_list"),
        ("control", "version"),
    ):
        ratio = f"{name}_to_{peer}_ratio"
        figures |= common.ratio(samples, name, peer, ratio)
    for name, seconds in samples.items():
        figures[f"{name}_us"] = common.median_us(seconds)
    return figures


if __name__ == "__main__":
    child(sys.argv[1])
