# SPDX-License-Identifier: Apache-2.0
"""Thirty-two threads at one gate while the ground moves under them."""

import itertools
import os
import threading
import time
from collections.abc import Callable, Hashable, Set
from concurrent import futures
from pathlib import Path

THREADS = 32
#: Seconds for which they ask at least, and at most for every answer.
SECONDS = 3.0
AT_MOST = 60.0
#: Seconds after which a thread that is not done counts as stuck.
STUCK = 60.0
PAUSE = 0.02

_POLICY = """\
version: "1"
guest_devices:
  disk_bus: {{allow: [{bus}]}}
passthrough:
  allow: {{aliases: [gpu], ports: [], mdev: [], device_profiles: []}}
  require: [iommu]
applies_to: {{hypervisor_type: [QEMU]}}
# {mark}
"""
#: Two policies; what one allows the other refuses.
POLICIES = tuple(
    _POLICY.format(bus=bus, mark="x" * number)
    for number, bus in enumerate(("virtio", "sata"))
)
#: One bus that each allows alone, and one that none does.
BUSES = ("virtio", "sata", "ide")

#: A bus, and what was answered.
Answer = tuple[str, Hashable]


def put(path: Path, policy: str) -> None:
    """Put a policy in place at once, by rename."""
    draft = path.with_suffix(".new")
    draft.write_text(policy)
    os.replace(draft, path)


def answers(
    ask: Callable[[str], Hashable],
    change: Callable[[int], None],
    wanted: Set[Answer],
) -> set[Answer]:
    """Let all threads ask for a while; none may be stuck or fail.

    :param ask: asks for one bus; returns the answer
    :param change: called repeatedly while the threads ask
    :param wanted: answers without which they ask on
    """
    result: set[Answer] = set()
    over = threading.Event()

    def asker() -> None:
        while not over.is_set():
            for bus in BUSES:
                result.add((bus, ask(bus)))

    started = time.monotonic()
    with futures.ThreadPoolExecutor(THREADS) as pool:
        askers = [pool.submit(asker) for _ in range(THREADS)]
        for number in itertools.count(1):
            took = time.monotonic() - started
            failed = any(each.done() for each in askers)
            if (
                failed
                or took > AT_MOST
                or (took > SECONDS and wanted <= result)
            ):
                break
            change(number)
            over.wait(PAUSE)
        over.set()
        for each in askers:
            each.result(STUCK)
    return result


def right(ask: Callable[[str], Hashable], path: Path) -> list[set[Answer]]:
    """Return what is right under each policy, asked by one thread alone."""
    result = []
    for policy in POLICIES:
        put(path, policy)
        # the first call after a change may still be another's to read
        ask("ide")
        result.append({(bus, ask(bus)) for bus in BUSES})
    return result


def check(
    ask: Callable[[str], Hashable],
    path: Path,
    more: Callable[[int], None] = lambda _number: None,
) -> None:
    """Check that every answer is right for one of the two policies."""
    first, other = right(ask, path)
    assert not first & other, "void: both policies say the same"

    def change(number: int) -> None:
        put(path, POLICIES[number % 2])
        more(number)

    # Of each policy all is answered, and nothing else.
    assert answers(ask, change, first | other) == first | other
