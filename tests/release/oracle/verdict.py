# SPDX-License-Identifier: Apache-2.0
"""Verdict on a cell.

:data:`BROKEN`: a guest got a device that the policy refuses and that it did
not have; :data:`UNJUDGED`: Nova chose a device from an object that the gate
did not look up in the same request.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.release.oracle.devices import Device, broken, devices
from tests.release.oracle.readers import HARMLESS
from tests.release.oracle.reads import Read

JUDGED, REFUSED, NO_CASE = "judged", "refused", "not a case"
UNJUDGED, BROKEN = "unjudged", "broken"
OUTCOMES = (JUDGED, REFUSED, NO_CASE, UNJUDGED, BROKEN)
RED = (UNJUDGED, BROKEN)


@dataclass(frozen=True)
class Verdict:
    """An outcome and its reason."""

    outcome: str
    reason: str = ""


@dataclass(frozen=True)
class Observed:
    """State after a request has ended.

    :ivar server: None if there is none yet
    :ivar status: status of the response
    :ivar dispatched: whether the request passed the gate
    :ivar fault: fault of the server, or the text of the response
    :ivar before: XML that was generated for the server before the request
    """

    server: str | None
    status: int
    dispatched: bool
    fault: str
    request_id: str
    reads: tuple[Read, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


def unjudged(observed: Observed) -> list[Read]:
    """Return the reads that decide and that the gate has not done, too.

    A cell has one request, so that a read by another context of Nova's own,
    such as an admin's, belongs to it as well.
    """
    judged = {
        read.key
        for read in observed.reads
        if not read.reader and read.request_id == observed.request_id
    }
    return [
        read
        for read in observed.reads
        if read.reader
        and read.key not in judged
        and (read.kind, read.reader) not in HARMLESS
    ]


def introduced(observed: Observed) -> set[Device]:
    """Return the refused devices that a guest has since the request."""
    return broken(_devices(observed.before, observed.after))


def _devices(before: Iterable[str], after: Iterable[str]) -> set[Device]:
    had, result = set(), set()
    domain, plugged = "", ()
    for new, texts in ((False, before), (True, after)):
        for text in texts:
            if text.lstrip().startswith("<domain"):
                domain, plugged = text, ()
            else:
                plugged = (*plugged, text)
            (result if new else had).update(devices(domain, plugged))
    return result - had


def of(observed: Observed) -> Verdict:
    """Return what a cell has come to."""
    new = introduced(observed)
    if new:
        text = ", ".join(f"{kind} {value}" for kind, value in sorted(new))
        return Verdict(BROKEN, text)
    if not observed.dispatched:
        return Verdict(REFUSED, f"{observed.status}")
    if "(allowed:" in observed.fault:
        return Verdict(REFUSED, "by the scheduler's gate")
    if observed.status >= 400:
        return Verdict(NO_CASE, f"{observed.status} {observed.fault}")
    missed = unjudged(observed)
    if missed:
        read = missed[0]
        return Verdict(UNJUDGED, f"{read.kind} by {read.reader}")
    if observed.fault:
        return Verdict(NO_CASE, observed.fault)
    return Verdict(JUDGED)


def not_booted(observed: Observed) -> Verdict:
    """Return what a cell has come to whose server does not run."""
    result = of(observed)
    outcome = REFUSED if result.outcome == REFUSED else NO_CASE
    reason = observed.fault or result.reason
    return Verdict(outcome, f"the boot: {reason}")
