# SPDX-License-Identifier: Apache-2.0
"""Thirty-two threads at one gate while the ground moves under them."""

import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Set
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


def put(path: Path, policy: str) -> None:
    """Put a policy in place at once, by rename."""
    draft = path.with_suffix(".new")
    draft.write_text(policy)
    os.replace(draft, path)


class Crowd:
    """The threads and the answers that they got.

    :param ask: asks for one bus; returns the answer
    :param change: called repeatedly while the threads ask
    """

    def __init__(
        self,
        ask: Callable[[str], Hashable],
        change: Callable[[int], None],
        wanted: Set[tuple[str, Hashable]],
    ) -> None:
        self._ask = ask
        self._change = change
        self._wanted = wanted
        self._over = threading.Event()
        self.answers: Counter[tuple[str, Hashable]] = Counter()
        self.failures: list[BaseException] = []
        self._lock = threading.Lock()

    def run(self) -> None:
        """Let them all ask for a while; nobody may be stuck or fail."""
        started = time.monotonic()
        threads = [
            threading.Thread(target=self._asker, daemon=True)
            for _ in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for number in itertools.count(1):
            if self._over.is_set():
                break
            took = time.monotonic() - started
            all_given = self._wanted <= self.answers.keys()
            if took > AT_MOST or (took > SECONDS and all_given):
                break
            self._change(number)
            time.sleep(PAUSE)
        self._over.set()
        deadline = time.monotonic() + STUCK
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        stuck = [thread for thread in threads if thread.is_alive()]
        assert not stuck, f"{len(stuck)} threads are stuck"
        assert not self.failures, self.failures[:3]

    def _asker(self) -> None:
        try:
            while not self._over.is_set():
                for bus in BUSES:
                    answer = self._ask(bus)
                    with self._lock:
                        self.answers[bus, answer] += 1
        except BaseException as error:
            self.failures.append(error)
            self._over.set()


def right(
    ask: Callable[[str], Hashable], path: Path
) -> tuple[dict[tuple[str, Hashable], int], ...]:
    """Return what is right under each policy, asked by one thread alone."""
    result = []
    for policy in POLICIES:
        put(path, policy)
        # the first call after a change may still be another's to read
        ask("ide")
        result.append({(bus, ask(bus)): 1 for bus in BUSES})
    return tuple(result)


def check(
    ask: Callable[[str], Hashable],
    path: Path,
    more: Callable[[int], None] = lambda _number: None,
) -> Counter[tuple[str, Hashable]]:
    """Check that every answer is right for one of the two policies.

    :returns: the answers, as often as they were given
    """
    first, other = right(ask, path)
    assert not first.keys() & other.keys(), "void: both policies say the same"

    def change(number: int) -> None:
        put(path, POLICIES[number % 2])
        more(number)

    known = first.keys() | other.keys()
    crowd = Crowd(ask, change, known)
    crowd.run()
    return _only(crowd.answers, known)


def _only(
    answers: Counter[tuple[str, Hashable]],
    known: set[tuple[str, Hashable]],
) -> Counter[tuple[str, Hashable]]:
    wrong = answers.keys() - known
    assert not wrong, (list(wrong)[:3], known)
    missing = known - answers.keys()
    assert not missing, f"void: never given: {missing}, of {answers}"
    return answers
