# SPDX-License-Identifier: Apache-2.0
"""Cost of hostile requests with the gate, relative to the cost without it.

``ratio`` is at most 5 exactly if the processor time with the gate is at most 5
times the time without it, or at most 20 ms if that is more. It is at most 10
exactly if answer and log are at most 10 times those without the gate, plus 64
KiB. For requests that the service refuses unread, the first limit is 3 times
instead of 5, because the gate has nothing to look up.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.benchmarks import common

CPU_TIMES, UNREAD_TIMES, BYTES_TIMES = 5, 3, 10
#: In the name of what the service refuses unread, and the worst of these.
UNREAD, UNREAD_WORST = "_unread_", "unread_cpu"
#: Seconds that a request may always take, and bytes that come on top.
FLOOR_S, FREE_BYTES = 0.020, 64 << 10


@dataclass(frozen=True)
class Cost:
    """Cost of a request to a service.

    :ivar cpu_s: processor time of the whole process
    :ivar size: bytes of the response and of the log
    :ivar lookups: requests to other services
    """

    cpu_s: float
    size: int
    status: int = 0
    lookups: int = 0


@dataclass(frozen=True)
class Finding:
    """An input, and its costs with the gate and without."""

    name: str
    gate: Cost
    plain: Cost

    @property
    def cpu(self) -> float:
        """Return how many times the processor time is."""
        return self.gate.cpu_s / max(self.plain.cpu_s, FLOOR_S / self.times)

    @property
    def times(self) -> int:
        """Return the maximum ratio of the processor times."""
        return UNREAD_TIMES if UNREAD in self.name else CPU_TIMES

    @property
    def size(self) -> float:
        """Return how many times the bytes are."""
        return self.gate.size / (self.plain.size + FREE_BYTES / BYTES_TIMES)

    @property
    def beyond(self) -> bool:
        """Return True if it costs more than it may."""
        return self.cpu > self.times or self.size > BYTES_TIMES

    def __str__(self) -> str:
        """Return a line for who waits."""
        costs = (
            f"{cost.status} {cost.cpu_s * 1000:.1f} ms {cost.size} B "
            f"{cost.lookups} look-ups"
            for cost in (self.gate, self.plain)
        )
        return (
            f"{'BEYOND ' if self.beyond else ''}{self.name}: "
            f"{' with, '.join(costs)} without, "
            f"ratios {self.cpu:.2f} and {self.size:.2f}"
        )


def figures(findings: Iterable[Finding]) -> common.Figures:
    """Return the worst of all, and each that is beyond."""
    answer = list(findings)
    slow = max(answer, key=lambda finding: finding.cpu)
    long = max(answer, key=lambda finding: finding.size)
    most = max(answer, key=lambda finding: finding.gate.lookups)
    unread = [finding.cpu for finding in answer if UNREAD in finding.name]
    return {
        "worst_cpu_ratio": round(slow.cpu, 3),
        "worst_cpu_case": slow.name,
        "worst_cpu_gate_ms": round(slow.gate.cpu_s * 1e3, 1),
        "worst_cpu_plain_ms": round(slow.plain.cpu_s * 1e3, 1),
        "worst_bytes_ratio": round(long.size, 3),
        "worst_bytes_case": long.name,
        "worst_bytes_gate_kib": round(long.gate.size / 1024, 1),
        "worst_bytes_plain_kib": round(long.plain.size / 1024, 1),
        "most_lookups": most.gate.lookups,
        "most_lookups_case": most.name,
        UNREAD_WORST: round(max(unread, default=0), 3),
        "cases": len(answer),
        "cases_beyond": sum(finding.beyond for finding in answer),
        **{
            f"{each.name}_cpu_ratio": round(each.cpu, 3)
            for each in answer
            if each.cpu > each.times
        },
        **{
            f"{each.name}_bytes_ratio": round(each.size, 3)
            for each in answer
            if each.size > BYTES_TIMES
        },
    }
