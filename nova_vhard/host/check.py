# SPDX-License-Identifier: Apache-2.0
"""Check and Result: one question about a host, and its answer."""

import abc
import enum
from dataclasses import dataclass
from typing import NamedTuple

from nova_vhard.common.log import get_logger
from nova_vhard.host import platform
from nova_vhard.host.evidence import Evidence
from nova_vhard.host.host import Host
from nova_vhard.host.root import LIBVIRT, Unreadable

LOG = get_logger(__name__)

#: How a reason begins where evidence cannot be read.
UNREAD = "cannot be read: "


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
    :ivar id: number of the check in the documentation
    """

    check: str
    status: Status
    reason: str
    evidence: tuple[str, ...] = ()
    remediation: str | None = None
    id: str = ""


class Answer(NamedTuple):
    """Result of a check's ``answer``.

    :ivar reason: a sentence
    :ivar step: next step, if it differs from the check's remediation for this
        reason or on this platform
    """

    status: Status
    reason: str
    step: str = ""


def passed(reason: str) -> Answer:
    """Return the answer that the host is as it should be."""
    return Answer(Status.PASS, reason)


def failed(reason: str, step: str = "") -> Answer:
    """Return the answer that the host is not as it should be."""
    return Answer(Status.FAIL, reason, step)


def unknown(reason: str, step: str = "") -> Answer:
    """Return the answer that it cannot be told."""
    return Answer(Status.UNKNOWN, reason, step)


def not_applicable(reason: str) -> Answer:
    """Return the answer that there is nothing to ask of the host."""
    return Answer(Status.NOT_APPLICABLE, reason)


class Check(abc.ABC):
    """One question about a host, with its documentation.

    :cvar name: its name in policies, ``iommu``
    :cvar id: its number in the documentation, ``Check-Virt-01``
    :cvar title: one line
    :cvar guide: paragraph of the OpenStack Security Guide that it serves
        (chapter "Hardening the Virtualization Layers"), or the reason why it
        goes beyond it
    :cvar meaning: what PASS says
    :cvar remediation: what to do after a FAIL, unless the answer has a step
        of its own
    :cvar early: whether it starts a large program. Such checks run before
        those that make the reporter itself large, since both use memory of
        the host

    A subclass defines these attributes and implements ``answer``. Evidence
    that cannot be read makes the answer UNKNOWN: a check does not catch
    ``Unreadable``, and never guesses.
    """

    name: str
    id: str = ""
    title: str = ""
    guide: str = ""
    meaning: str = ""
    remediation: str = ""
    early: bool = False

    @abc.abstractmethod
    def answer(self, host: Host) -> Answer | tuple[Status, str]:
        """Return the status, the reason and, optionally, a specific next step.

        The evidence is what it reads by ``host.root.read`` and notes by
        ``host.root.note``.

        :raises Unreadable: if the unreadable fact decides the answer
        """

    def run(self, host: Host) -> Result:
        """Run the check and return its result; never raise an Exception."""
        # A new record: a check must not report what another check has read.
        evidence = host.root.evidence = Evidence()
        try:
            # The kernel of Xen's control domain sees only what Xen shows it,
            # and no supported Nova starts a guest there.
            if platform.is_xen(host.root):
                return self.unknown("the host runs under Xen", platform.NO_XEN)
            answer = Answer(*self.answer(host))
        # Fails closed, so never PASS. Not FAIL either: nothing is known to be
        # wrong with the host.
        except Unreadable as error:
            answer = unread(error)
        # A plugin's check may raise anything. It must not end the round of the
        # other checks.
        except Exception as error:
            LOG.exception("Check %s failed", self.name)
            answer = unknown(
                f"the check failed: {type(error).__name__}: {error}",
                "This is a bug in the check. Report it with the traceback "
                "from the reporter's log.",
            )
        return self._result(answer, evidence.lines())

    def unknown(self, reason: str, step: str = "") -> Result:
        """Answer UNKNOWN in place of a check that gave no answer."""
        step = step or (
            "Run nova-vhard-reporter check on the host, and see the "
            "reporter's log for what blocks or stops the check."
        )
        return self._result(unknown(reason, step))

    def _result(self, answer: Answer, facts: tuple[str, ...] = ()) -> Result:
        status, reason, step = answer
        # There is nothing to do: a reader would take a step for a fault.
        if status in (Status.PASS, Status.NOT_APPLICABLE):
            return Result(self.name, status, reason, facts, None, self.id)
        if status is Status.FAIL:
            step = step or self.remediation
        step = step or (
            "See the evidence. The documentation of the check says what it "
            "needs."
        )
        return Result(self.name, status, reason, facts, step, self.id)


def unread(error: Unreadable) -> Answer:
    """Return the answer where evidence cannot be read."""
    # mac.without_guests() looks for this beginning.
    text = f"{UNREAD}{error}"
    if error.path == LIBVIRT:
        text = f"libvirt cannot be asked: {error.why}"
    return Answer(Status.UNKNOWN, text, error.step or _show(error))


def _show(error: Unreadable) -> str:
    """Return what makes a fact readable, by why it is not."""
    if error.missing:
        return (
            f"{error.path} does not exist here. If the reporter runs in a "
            "container, mount it below [vhard_reporter] root."
        )
    if error.denied:
        return (
            f"Allow the reporter to read {error.path}, or run "
            "nova-vhard-reporter check as root."
        )
    return f"Correct {error.path}: its content is not valid."
