# SPDX-License-Identifier: Apache-2.0
"""The guard's judgement: a domain XML in, a verdict and its event out."""

import datetime
import logging
import time
import zlib
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, replace
from types import MappingProxyType

from nova_vhard.catalogue.checks import ATTESTED
from nova_vhard.catalogue.gates import GUARD
from nova_vhard.common.log import get_logger
from nova_vhard.common.text import clean
from nova_vhard.explain import messages
from nova_vhard.guard import wire
from nova_vhard.guard.memory import Choice, Memory
from nova_vhard.guard.posture import NotProven
from nova_vhard.policy import events
from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.policy.hosts import THIS_HOST, host_requirements
from nova_vhard.policy.model import Mode, Policy, strongest, weaker
from nova_vhard.policy.subject import ATTACH, MOVE, START, Subject
from nova_vhard.policy.verdict import (
    GUEST_DEVICES,
    Cause,
    Verdict,
    Violation,
    evaluate,
    soften,
    with_more,
)
from nova_vhard.policy.watch import today
from nova_vhard.request import domain as domain_reader
from nova_vhard.request.domain import Domain, DomainError

LOG = get_logger(__name__)

_FAULT = "fault"
#: Kinds that a guest has only while it is rescued.
_RESCUE = frozenset(("rescue_bus", "rescue_device"))


@dataclass(frozen=True, slots=True)
class Judgement:
    """Result for one guest.

    :ivar domain: the parsed domain; None if it could not be read
    :ivar verdict: the policy's complete verdict
    :ivar subject: on whose behalf the guest was judged
    :ivar written: whether an event was written
    """

    domain: Domain | None
    verdict: Verdict
    subject: Subject
    written: bool = True

    @property
    def refused(self) -> bool:
        """Whether the guest, or the device, is refused."""
        return bool(self.verdict.refusals)

    def text(self, limit: int) -> str:
        """Return why the guest is refused, for libvirt's error message."""
        return messages.fault_message(self.verdict.refusals, limit)


class Judge:
    """Judges the guests of one host.

    :param memory: what guests had before
    :param proven: returns the checks that the host has passed, by the hours
        that a report may be old; raises NotProven
    :param send: takes each event, as JSON, to the message bus
    :param folders: option of [vhard_guard] to where files of guests must lie
    """

    def __init__(
        self,
        memory: Memory,
        proven: Callable[[int], frozenset[str]],
        send: Callable[[str], None] | None = None,
        folders: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        self.memory = memory
        self._folders = folders
        self._proven = proven
        self._send = send
        # XML of each guest that is there, packed.
        self._shown: dict[str, bytes] = {}

    def forget_absent(self, present: Collection[str]) -> None:
        """Forget guests that are gone.

        :param present: uuids of all guests that libvirt has
        """
        self.memory.forget_absent(present)
        for uuid in set(self._shown).difference(present):
            del self._shown[uuid]

    def before(self, uuid: str) -> bytes | None:
        """Return a guest's XML at the end of its start, or when last kept."""
        shown = self._shown.get(uuid)
        return None if shown is None else zlib.decompress(shown)

    def keep(self, uuid: str, xml: bytes) -> None:
        """Keep the XML of a guest that runs, for comparison."""
        self._shown[uuid] = zlib.compress(xml)

    def judge(
        self,
        policy: Policy,
        xml: bytes,
        operation: str,
        early: bool = False,
    ) -> Judgement:
        """Judge a guest, remember it if it may run, and write the event.

        :param xml: the whole domain XML
        :param operation: START, MOVE or ATTACH of a Subject. Of a guest that
            runs (ATTACH) only what its XML did not say before is written: it
            changes with each block job and balloon
        :param early: whether libvirt asks again before the guest runs. Until
            then only a refusal is written, and nothing is remembered: the
            second answer is by what the guest had before this start
        """
        start = time.perf_counter()
        try:
            domain = self.read(xml, operation)
        except DomainError as error:
            judgement = _unreadable(policy, operation, error)
        else:
            verdict = self.verdict(policy, domain)
            judgement = Judgement(domain, verdict, domain.subject)
            if self._adopts(domain) or not (early or judgement.refused):
                # After a rescue it has its other devices again.
                chosen_now = chosen(domain.request)
                rescued = any(item.kind in _RESCUE for item in chosen_now)
                more = rescued or operation == ATTACH
                self.memory.keep(domain.uuid, chosen_now, more)
            if operation == START and not early:
                self.keep(domain.uuid, xml)
        if not self._is_news(policy, judgement, early):
            return replace(judgement, written=False)
        taken = time.perf_counter() - start
        subject, verdict = judgement.subject, judgement.verdict
        written = events.write(GUARD, subject, verdict, taken)
        if self._send is not None:
            self._send(written)
        guest, worst = judgement.domain, verdict.refusals or verdict.warnings
        if worst:
            LOG.log(
                logging.ERROR if verdict.refusals else logging.WARNING,
                "guard %s %s of %s: %s",
                "refuses" if verdict.refusals else "lets pass (mode warn)",
                operation,
                f"{clean(guest.name)} ({clean(guest.uuid)})"
                if guest
                else "a guest",
                messages.describe(worst),
            )
        return judgement

    def read(self, xml: bytes, operation: str) -> Domain:
        """Read a domain XML that fits.

        :raises DomainError: for one that does not, or cannot be read
        """
        if len(xml) > wire.LIMIT:
            raise DomainError(f"it is larger than {wire.LIMIT} bytes")
        return domain_reader.read(xml, operation, folders=self._folders)

    def _is_news(
        self, policy: Policy, judgement: Judgement, early: bool
    ) -> bool:
        """Return whether an event would say something new of a guest."""
        if early:
            return judgement.refused
        domain = judgement.domain
        before = domain and self.before(domain.uuid)
        if not (domain and before) or judgement.subject.operation != ATTACH:
            return True
        try:
            old = self.read(before, ATTACH)
        except DomainError:
            return True
        known = _says(old, self.verdict(policy, old))
        return not _says(domain, judgement.verdict) <= known

    def _adopts(self, domain: Domain) -> bool:
        """Return whether a guest counts as there before the guard.

        Until all guests of the host have been taken in, nobody can tell who
        is new.
        """
        known = self.memory.choices(domain.uuid)
        return known is None and not self.memory.adopted

    def verdict(self, policy: Policy, domain: Domain) -> Verdict:
        """Return the verdict on a guest, nowhere harder than ``on_host``."""
        subject, day = domain.subject, today()
        known = self.memory.choices(domain.uuid)
        # What comes by live migration has run elsewhere.
        before = subject.operation == MOVE or self._adopts(domain)
        verdict = evaluate(policy, domain.request, subject, day)
        existing = frozenset(
            key
            for violation in verdict.violations
            if before or _had(known or (), violation)
            for key in violation.keys
        )
        if existing:
            verdict = evaluate(policy, domain.request, subject, day, existing)
        if before or known is not None:
            subject = replace(subject, operation=MOVE)
        lacking = self._lacking(policy, domain.request, subject, day)
        return soften(with_more(verdict, lacking), policy.on_host.mode)

    def _lacking(
        self,
        policy: Policy,
        request: HardwareRequest,
        subject: Subject,
        day: datetime.date,
    ) -> list[Violation]:
        """Return what this host has not proven and this guest needs."""
        required = host_requirements(policy, request, subject, day)
        if not required:
            return []
        try:
            passed = self._proven(policy.hosts.max_report_age)
        except NotProven as error:
            LOG.error("This host has no valid report: %s", error)
            passed = frozenset()
        # No host can say that of itself: the scheduler has asked others.
        passed |= {ATTESTED}
        return [
            replace(need, checks=need.checks - passed).failed(THIS_HOST)
            for need in required
            if need.checks - passed
        ]


def chosen(request: HardwareRequest) -> frozenset[Choice]:
    """Return the devices of a request, as violations would name them."""
    return frozenset(
        (
            *(Choice(each.kind, each.value) for each in request.choices),
            *(
                Choice(asked.kind, asked.name, asked.count)
                for asked in request.passthrough
            ),
            *(
                Choice(_FAULT, fault.value, fault.count)
                for fault in request.faults
            ),
        )
    )


def _says(domain: Domain, verdict: Verdict) -> frozenset[object]:
    """Return all that an event would say of a guest."""
    keys = (violation.keys for violation in verdict.violations)
    return frozenset(chosen(domain.request)).union(*keys)


def _had(known: Iterable[Choice], violation: Violation) -> bool:
    """Return whether a guest had what violates a rule, and as many of it.

    Synonyms do not count, because different devices can share one: Nova's
    ``auto`` is any guest IOMMU. Only the value itself is compared.
    """
    cause = violation.cause
    if cause.text:
        # Of a fault without a number an earlier version has not kept one.
        return violation.rules == (GUEST_DEVICES,) and any(
            (choice.kind, choice.value) == (_FAULT, cause.value)
            and _includes(choice.number or violation.count, violation.count)
            for choice in known
        )
    return any(
        (choice.kind, choice.value) == (cause.what, cause.value)
        and _includes(choice.number, violation.count)
        for choice in known
    )


def _includes(number: str, count: str) -> bool:
    """Return whether a number of devices is at least the other.

    Texts that are not numbers must be equal.
    """
    try:
        return int(number) >= int(count)
    except ValueError:
        return number == count


def _unreadable(
    policy: Policy, operation: str, error: DomainError
) -> Judgement:
    """Return the judgement of a guest that nobody can read."""
    subject = Subject(operation)
    if not policy.enabled:
        return Judgement(
            None, Verdict(policy=policy.digest, enabled=False), subject
        )
    text = f"the domain XML cannot be judged: {clean(error, 200)}"
    cause = Cause("", "domain XML", "", text)
    # It may break any rule, and be of any project.
    violation = Violation((GUEST_DEVICES,), cause, mode_on_host(policy))
    verdict = Verdict((violation,), policy=policy.digest)
    return Judgement(None, verdict, subject)


def mode_on_host(policy: Policy) -> Mode:
    """Return the strongest mode in which the guard applies any rule.

    ``on_host.mode`` can only weaken the mode of a rule.
    """
    general = strongest(
        (policy.mode, *(project.mode for project in policy.projects))
    )
    modes = [rule.mode for rule in policy.guest_devices.values()]
    if policy.passthrough is not None:
        modes.append(policy.passthrough.mode)
    if policy.hosts.require:
        modes.append(policy.hosts.mode)
    hardest = strongest(filter(None, (mode or general for mode in modes)))
    return weaker(policy.on_host.mode, hardest or general or policy.mode)
