# SPDX-License-Identifier: Apache-2.0
"""Time that the guard adds to the start of a guest, and its memory.

The hook is timed as libvirt runs it, from its start to its end, in its own
processor time, beside a hook that ends at once: what is compared is what it
does beyond being a program in Python. Both take turns. The daemon answers in
this process.

A judgement is one answer of the daemon: the XML of a domain read, judged, its
event written, and what the guest has remembered. It is timed in the thread's
processor time, under policies with one exempted server and with 10,000.

Memory is what a daemon's process has more after 10,000 starts of as many
guests.
"""

import logging
import os
import tempfile
import time
import uuid
from functools import partial
from pathlib import Path

import psutil

from nova_vhard.guard import hook, server, wire
from nova_vhard.guard.answers import Answers
from nova_vhard.guard.judge import Judge
from nova_vhard.guard.memory import Memory
from nova_vhard.guard.metrics import Metrics
from nova_vhard.guard.wire import Answer, Request
from nova_vhard.policy.watch import PolicyFile
from tests.benchmarks import common
from tests.benchmarks.client import spent
from tests.unit.guard import domains

HOOKS, BLOCKS, BLOCK, STARTS = 60, 80, 100, 10_000
MANY = 10_000
BARS = {
    "hook_beyond_empty_us": {"at_most": 50_000},
    "exemptions_10000_ratio": {"at_most": 1.1, "width": 0.15},
    "memory_10000_starts_mib": {"at_most": 32},
    "memory_20000_starts_mib": {"at_most": 48},
}
PYTHON = "/usr/bin/python3"
_EMPTY = f"#!{PYTHON} -IS\nimport sys\nsys.exit(0)\n"


def exempting(count: int) -> str:
    """Return the lines of a policy that exempts some servers."""
    servers = ", ".join(str(uuid.uuid4()) for _ in range(count))
    return (
        f"{domains.ENFORCE}exemptions:\n  - id: older\n    reason: older\n"
        f"    servers: [{servers}]\n    until: 2999-01-01\n"
        "    rules: {guest_devices.disk_bus: [sata]}\n"
    )


def answering(folder: Path, more: str) -> Answers:
    """Return what answers by a policy."""
    folder.mkdir()
    path = folder / "policy.yaml"
    path.write_text(domains.POLICY + more)
    memory = Memory(str(folder))
    memory.adopt()
    judge = Judge(memory, lambda hours: frozenset())
    result = Answers(PolicyFile(str(path)), judge, Metrics(), str(folder))
    result.refresh()
    return result


def start(answers: Answers, name: str = domains.UUID) -> Answer:
    """Ask about a start."""
    xml = domains.xml(devices=domains.CARD.replace("e1000e", "virtio"))
    xml = xml.replace(domains.UUID.encode(), name.encode())
    return answers(Request(wire.START, "instance-00000001", xml))


def judged(answers: Answers) -> float:
    """Return the processor's seconds of one answer of many."""
    begin = time.thread_time()
    for _ in range(BLOCK):
        assert start(answers).word == "allow"
    return (time.thread_time() - begin) / BLOCK


def judgements(folder: Path) -> common.Figures:
    """Return what a judgement costs."""
    common.progress(f"judgements, 1 and {MANY} exempted servers ...")
    runs = {
        name: partial(judged, answering(folder / name, exempting(servers)))
        for name, servers in {"few": 1, "many": MANY}.items()
    }
    took = common.in_turns(runs, BLOCKS)
    return {
        **common.ratio(took, "many", "few", "exemptions_10000_ratio"),
        "judged_us": common.median_us(took["few"]),
        "judged_10000_exemptions_us": common.median_us(took["many"]),
    }


def of_the_hook(folder: Path) -> common.Figures:
    """Return what the hook costs beyond an empty one."""
    common.progress("hooks ...")
    path = str(folder / "guard.sock")
    text = Path(hook.__file__).read_text(encoding="utf-8")
    programs = {"ours": text.replace(hook.SOCKET, path), "empty": _EMPTY}
    runs = {}
    for name, program in programs.items():
        place = folder / name
        place.write_text(program)
        command = [PYTHON, "-IS", str(place), "x", "prepare", "begin", "-"]
        runs[name] = partial(spent, command, domains.xml())
    answers = answering(folder / "daemon", domains.ENFORCE)
    running = server.Server(
        server.listen(path), answers, frozenset((os.geteuid(),))
    )
    running.start()
    try:
        took = common.in_turns(runs, HOOKS)
    finally:
        running.stop()
    pairs = zip(took["ours"], took["empty"], strict=True)
    beyond = common.bootstrap_median([each - other for each, other in pairs])
    return {
        "hook_us": common.median_us(took["ours"]),
        "empty_hook_us": common.median_us(took["empty"]),
        "hook_beyond_empty_us": round(beyond.median * 1e6, 2),
        "hook_beyond_empty_us_low": round(beyond.low * 1e6, 2),
        "hook_beyond_empty_us_high": round(beyond.high * 1e6, 2),
    }


def remembered(folder: Path) -> common.Figures:
    """Return the memory that a daemon needs for 10,000 and 20,000 guests."""
    common.progress(f"{STARTS} guests ...")
    answers = answering(folder / "memory", domains.ENFORCE)
    resident = psutil.Process().memory_info
    for _ in range(100):
        start(answers)
    figures, before = {}, resident().rss
    for guests in (STARTS, 2 * STARTS):
        for _ in range(STARTS):
            start(answers, str(uuid.uuid4()))
        added = round((resident().rss - before) / 2**20, 2)
        figures[f"memory_{guests}_starts_mib"] = added
    return figures


def measure() -> common.Figures:
    """Return all figures."""
    # Events are made, and go nowhere.
    log = logging.getLogger("nova_vhard.decisions")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(logging.NullHandler())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return {
            **of_the_hook(folder),
            **judgements(folder),
            **remembered(folder),
        }
