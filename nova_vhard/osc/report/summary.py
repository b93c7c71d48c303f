# SPDX-License-Identifier: Apache-2.0
"""Summary of the report: the worst findings of each kind, on one page."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.placement.fleet import FRESH, SILENT, STALE, HostPosture

#: Hosts, checks and exemptions in the summary, at most: a printed page.
FEW = 5

_WORST = (SILENT, STALE, FRESH)

#: Answer of a cell to what it means.
ANSWERS: Mapping[str, str] = {
    "yes": "the check passed",
    "no": "the check failed",
    "unknown": "not determined, or not in a report that counts",
    "n/a": "the check does not apply to the host",
    "old": "passed in a report that is too old to count",
}
_RESULTS = {
    "PASS": "yes",
    "FAIL": "no",
    "UNKNOWN": "unknown",
    "NOT_APPLICABLE": "n/a",
}


def answer(host: HostPosture, check: str) -> str:
    """Return the answer of a host to a check, of ANSWERS."""
    if check in host.passed and host.status != FRESH:
        return "old" if host.status == STALE else "unknown"
    return _RESULTS[host.result(check)]


def counts(results: Iterable[str]) -> str:
    """Return how often there is each result, each counted for itself."""
    number = Counter(results)
    return ", ".join(f"{number[each]} {each}" for each in _RESULTS)


def worst_first(hosts: Iterable[HostPosture]) -> list[HostPosture]:
    """Return the hosts, the ones with the most work first.

    Silent hosts, then stale ones, then by the number of FAIL, then by the
    number of UNKNOWN.
    """
    return sorted(
        hosts,
        key=lambda host: (
            _WORST.index(host.status),
            -sum(host.result(name) == "FAIL" for name in CHECKS),
            -sum(host.result(name) == "UNKNOWN" for name in CHECKS),
            host.name,
        ),
    )


def least_proven(hosts: Sequence[HostPosture]) -> list[tuple[str, int]]:
    """Return the checks that are FAIL or UNKNOWN on most hosts, and where."""
    open_ = Counter(
        name
        for name in CHECKS
        for host in hosts
        if host.result(name) in ("FAIL", "UNKNOWN")
    )
    return open_.most_common(FEW)
