# SPDX-License-Identifier: Apache-2.0
"""Check and Result: one question about a host, and its answer."""

import abc
import enum
from dataclasses import dataclass

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.host.host import Host
from nova_vhard.host.root import Unreadable

#: Lines of evidence that a result keeps; the rest is counted.
MAX_EVIDENCE = 48


class Status(enum.StrEnum):
    """The answers. UNKNOWN never counts as PASS."""

    PASS = "PASS"  # noqa: S105 - no password
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"
    NOT_APPLICABLE = "NOT_APPLICABLE"


@dataclass(frozen=True)
class Result:
    """The answer to one check.

    :ivar check: name of the check
    :ivar reason: the answer in a sentence
    :ivar evidence: what was read, in the host's own words
    :ivar remediation: what to do; None where there is nothing to do
    """

    check: str
    status: Status
    reason: str
    evidence: tuple[str, ...] = ()
    remediation: str | None = None


class Check(abc.ABC):
    """One question about a host.

    A subclass names its entry in the catalogue and answers in ``answer``.
    Evidence that cannot be read makes the answer UNKNOWN: a check lets
    ``Unreadable`` through and never guesses.
    """

    name: str

    @abc.abstractmethod
    def answer(self, host: Host, evidence: list[str]) -> "Answer":
        """Return status and reason.

        :param evidence: to be filled with what was read
        :raises Unreadable: where that decides the answer
        """

    def run(self, host: Host) -> Result:
        """Answer the question, with evidence, whatever happens."""
        evidence: list[str] = []
        try:
            status, reason = self.answer(host, evidence)
        except Unreadable as error:
            status, reason = Status.UNKNOWN, f"cannot be read: {error}"
        except Exception as error:  # noqa: BLE001 - one must not fail all
            text = f"{type(error).__name__}: {error}"
            status, reason = Status.UNKNOWN, f"the check failed: {text}"
        return self._result(status, reason, evidence)

    def unknown(self, reason: str) -> Result:
        """Answer UNKNOWN in place of a check that gave no answer."""
        return self._result(Status.UNKNOWN, reason, [])

    def _result(
        self, status: Status, reason: str, evidence: list[str]
    ) -> Result:
        if len(evidence) > MAX_EVIDENCE:
            more = len(evidence) - MAX_EVIDENCE
            evidence = [*evidence[:MAX_EVIDENCE], f"and {more} more"]
        good = status in (Status.PASS, Status.NOT_APPLICABLE)
        mend = None if good else CHECKS[self.name].remediation
        return Result(self.name, status, reason, tuple(evidence), mend)


Answer = tuple[Status, str]
