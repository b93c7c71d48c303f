# SPDX-License-Identifier: Apache-2.0
"""Evaluate a request against a policy and return all violations."""

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from nova_vhard.catalogue.devices import KINDS, OF_FILE
from nova_vhard.catalogue.passthrough import NEVER_ONE_TIME, ONE_TIME_USE
from nova_vhard.common.text import clean, quote
from nova_vhard.policy.defaults import (
    DEVICE_OF,
    NOT_OF_EVERY_GUEST,
    default_choice,
    implied,
    names_of,
    with_assumed,
)
from nova_vhard.policy.hardware import (
    DOMAIN,
    IMAGE,
    VOLUME,
    DeviceChoice,
    HardwareRequest,
)
from nova_vhard.policy.model import (
    Exemption,
    Mode,
    PassthroughRule,
    Policy,
    Rule,
    Values,
    strongest,
    weaker,
)
from nova_vhard.policy.subject import (
    ATTACH,
    BOOT,
    MOVE,
    RESIZE,
    START,
    UNSHELVE,
    Subject,
)

ALLOW = "allow"
REFUSE = "refuse"
DISABLED = "disabled"
UNJUDGED = "unjudged"

#: A reference that cannot be checked could break any rule of this section.
GUEST_DEVICES = "guest_devices"
PASSTHROUGH_ALLOW = "passthrough.allow"
PASSTHROUGH_REQUIRE = "passthrough.require"

#: Operations in which a guest gets devices. Each start hands them out again.
_GIVES_DEVICES = frozenset((BOOT, MOVE, RESIZE, UNSHELVE, ATTACH, START))

#: Operations on an existing guest, whose image was checked at its boot.
_KEEPS_GUEST = frozenset((MOVE, UNSHELVE))

#: Device names of a violation that is about the whole guest.
_GUEST = frozenset(("",))

# The other modes are their own outcome: warn and audit.
_OUTCOMES = {None: ALLOW, Mode.ENFORCE: REFUSE}


class ViolationKey(NamedTuple):
    """A device and the rules that its value violates.

    :ivar rules: ids of the rules
    :ivar value: the value that violates them
    :ivar number: number of devices, see Violation.count
    :ivar device: name of the device; empty for the whole guest
    """

    rules: tuple[str, ...]
    value: str | None
    number: str = ""
    device: str = ""


# A NamedTuple, since one is made for each candidate of each request.
class Cause(NamedTuple):
    """The reason for a violation, like a StatusCause of Kubernetes.

    :ivar what: device kind, or list of ``passthrough.allow``; empty for what
        is neither, such as a host without a check
    :ivar where: where the request comes from, as text
    :ivar value: the value that is refused; None if it cannot be known
    :ivar text: description; empty for a device, which ``explain`` describes
    :ivar fix: remediation, unless the text includes it or a search finds it
    :ivar names: names of the image properties that it comes from
    :ivar synonyms: other names of the value, any of which a rule may allow
    :ivar choice: the choice of a virtual device, if it is one
    """

    what: str
    where: str
    value: str | None
    text: str = ""
    fix: str = ""
    names: frozenset[str] = frozenset()
    synonyms: tuple[str, ...] = ()
    choice: DeviceChoice | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """A request that violates a rule.

    :ivar rules: ids of the rules, which are paths in the policy file; more
        than one only if hosts do not meet the requirements of several rules
    :ivar cause: what violates them, and where
    :ivar mode: mode of the violation
    :ivar allowed: the values that the policy allows
    :ivar missing: True if the image must set the value and does not
    :ivar count: number of requested host devices, or of items that cannot be
        checked
    :ivar devices: names of the devices that have the value; an empty name
        means the whole guest
    """

    rules: tuple[str, ...]
    cause: Cause
    mode: Mode
    allowed: tuple[str, ...] = ()
    missing: bool = False
    count: str = ""
    devices: frozenset[str] = _GUEST

    @property
    def rule(self) -> str:
        """The ids of its rules, for a person."""
        return ", ".join(self.rules)

    @property
    def keys(self) -> frozenset[ViolationKey]:
        """A key for each device. Equal keys mean the same violation."""
        value, count = self.cause.value, self.count
        return frozenset(
            ViolationKey(self.rules, value, count, device)
            for device in self.devices
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything that the policy has to say about one request.

    :ivar violations: what breaks a rule, in the order of the request
    :ivar exempted: what an exemption lets through, with the exemption's id
    :ivar policy: digest of the policy that judged
    :ivar enabled: False where the policy is switched off
    :ivar judged: False where the request could not be judged
    """

    violations: tuple[Violation, ...] = ()
    exempted: tuple[tuple[Violation, str], ...] = ()
    policy: str = ""
    enabled: bool = True
    judged: bool = True

    @property
    def refusals(self) -> tuple[Violation, ...]:
        """The violations that refuse the request."""
        return tuple(
            violation
            for violation in self.violations
            if violation.mode is Mode.ENFORCE
        )

    @property
    def warnings(self) -> tuple[Violation, ...]:
        """The violations that pass with a warning."""
        return tuple(
            violation
            for violation in self.violations
            if violation.mode is Mode.WARN
        )

    @property
    def rules(self) -> list[str]:
        """The ids of the rules that are broken, each once, in order."""
        return sorted(
            {rule for violation in self.violations for rule in violation.rules}
        )

    @property
    def mode(self) -> Mode | None:
        """The strongest mode among the violations."""
        return strongest(violation.mode for violation in self.violations)

    @property
    def outcome(self) -> str:
        """One of allow, refuse, warn, audit, disabled, unjudged."""
        if not self.enabled or not self.judged:
            return DISABLED if self.judged else UNJUDGED
        mode = self.mode
        return _OUTCOMES.get(mode, str(mode))


def evaluate(
    policy: Policy,
    request: HardwareRequest,
    subject: Subject,
    today: datetime.date,
    already: frozenset[ViolationKey] = frozenset(),
) -> Verdict:
    """Return the violations and the outcome of a request.

    :param policy: the policy in force
    :param request: the choices of the guest
    :param subject: the requester and the operation
    :param today: the current day (UTC), which ends exemptions
    :param already: existing violations of the server. If the same devices
        violate the same rules with the same values, the mode is at most that
        of a move, so that the server does not get stuck
    """
    # Before anything is read: break glass must work for a request that the
    # judge itself would fail at.
    if not policy.enabled:
        return Verdict(policy=policy.digest, enabled=False)
    kept: list[Violation] = []
    exempted: list[tuple[Violation, str]] = []
    for violation in _violations(policy, request, subject):
        # Before ``already``: what an exemption permits is not a violation in
        # any mode, and the event names it.
        exemption = _exemption(policy, violation, subject, today)
        if exemption is not None:
            exempted.append((violation, exemption.id))
            continue
        # Each of its devices must be known. A server with an IDE disk gains no
        # second one by having the first.
        known = violation.keys <= already
        # A device never moves to a host without proof.
        if known and PASSTHROUGH_REQUIRE not in violation.rules:
            mode = weaker(violation.mode, policy.moves_guest_devices)
            violation = replace(violation, mode=mode)  # noqa: PLW2901
        kept.append(violation)
    return Verdict(tuple(kept), tuple(exempted), policy.digest)


def _exemption(
    policy: Policy,
    violation: Violation,
    subject: Subject,
    today: datetime.date,
) -> Exemption | None:
    """Return what lifts a violation, by whichever name of its device."""
    # One rule for a choice. Only violations by hosts have several, and these
    # get their exemptions in hosts.py.
    (rule,) = violation.rules
    subject = _held(subject, violation)
    cause = violation.cause
    for value in (cause.value, *cause.synonyms):
        exemption = policy.exemption(rule, value, subject, today)
        if exemption is not None:
            return exemption
    return None


def _held(subject: Subject, violation: Violation) -> Subject:
    """Return the subject with the image that a choice comes from.

    A rescue uses two images, and so can a boot from a volume; an exemption by
    image covers only one. It also covers a volume made of the image, except
    for rules about the file: nothing proves the content of a volume.
    """
    choice = violation.cause.choice
    # A flavor, a block device or a port: the image in the subject still
    # counts, because the server is built from it.
    if choice is None or choice.origin not in (IMAGE, VOLUME):
        return subject
    holder, image = choice.holder, subject.image
    if holder.id:
        image = holder.id if choice.origin == IMAGE else holder.made_of
    # The owner of a volume can write to it and can set its image_id in Cinder.
    if choice.kind in OF_FILE and (choice.origin == VOLUME or not holder.id):
        image = None
    return replace(subject, image=image)


def violated(
    policy: Policy,
    requests: Iterable[HardwareRequest],
    subject: Subject,
    today: datetime.date,
) -> frozenset[ViolationKey]:
    """Return the keys of the violations of all requests."""
    return frozenset[ViolationKey]().union(
        *(
            keys_of(evaluate(policy, request, subject, today))
            for request in requests
        )
    )


def keys_of(verdict: Verdict) -> frozenset[ViolationKey]:
    """Return the keys of all violations in a verdict."""
    return frozenset[ViolationKey]().union(
        *(violation.keys for violation in verdict.violations)
    )


def with_more(verdict: Verdict, more: Iterable[Violation]) -> Verdict:
    """Return a verdict with violations of another kind added."""
    return replace(verdict, violations=(*verdict.violations, *more))


def soften(verdict: Verdict, mode: Mode) -> Verdict:
    """Return a verdict with the mode of each violation limited to a mode."""
    softer = tuple(
        replace(violation, mode=weaker(violation.mode, mode))
        for violation in verdict.violations
    )
    return replace(verdict, violations=softer)


def introduced_violations(
    after: Verdict,
    before: Verdict,
    touched: frozenset[str],
    with_defaults: bool = False,
) -> Verdict:
    """Return the verdict on an image update.

    Violations are kept if they are new or their properties are in the update.
    Defaults are checked at boot, because tools set one property after the
    other, in any order.

    :param after: verdict on the updated image
    :param before: verdict on the current image
    :param touched: names of the properties in the update
    :param with_defaults: True to check defaults as well
    """
    # By key and not by count: an update that replaces one refused value by
    # another has to be refused.
    old = keys_of(before)
    kept = tuple(
        violation
        for violation in after.violations
        if (
            with_defaults
            or violation.cause.choice is None
            or violation.cause.choice.implied is None
        )
        # An update that names a property is judged for it, even if the value
        # stays: another request could change the image in between.
        and (not violation.keys <= old or violation.cause.names & touched)
    )
    return replace(after, violations=kept)


class _Candidate(NamedTuple):
    """Something that one rule has to judge.

    :ivar asked: the choice of a device, or the cause of anything else
    :ivar part: the part of the request that it is in
    :ivar default: whether Nova picks the value, because nothing sets it
    :ivar number: see Violation.count
    :ivar device: the device that a cause is about; empty for the whole guest
    """

    rule: Rule
    asked: DeviceChoice | Cause
    part: HardwareRequest
    default: bool = False
    number: str = ""
    device: str = ""


def _violations(
    policy: Policy, request: HardwareRequest, subject: Subject
) -> Iterator[Violation]:
    # First of all: a config drive is a CD-ROM, which defaults depend on.
    request = with_assumed(request, policy.assume)
    for rule, asked, part, default, number, device in _candidates(
        policy, request, subject
    ):
        if default:
            refused = rule.refuses_default(asked.value)
        else:
            refused = rule.refuses(asked.value, asked.synonyms)
        if not refused:
            continue
        if isinstance(asked, Cause):
            cause, moves, devices = asked, Mode.ENFORCE, frozenset((device,))
        else:
            # ``moves`` is about virtual devices, never about those of a host.
            moves = policy.moves_guest_devices
            devices = names_of(asked, part)
            cause = Cause(
                what=asked.kind,
                where=asked.source,
                value=asked.value,
                names=asked.names,
                synonyms=asked.synonyms,
                choice=asked,
            )
        if devices:  # otherwise the guest does not have such a device
            yield Violation(
                (rule.id,),
                cause,
                policy.mode_for(rule.mode, subject, moves),
                rule.allow.listed,
                default and rule.explicit,
                number,
                devices,
            )


def _candidates(
    policy: Policy, request: HardwareRequest, subject: Subject
) -> Iterator[_Candidate]:
    """Yield all that the rules of a policy are about.

    The order is that of the request, so that two events about one request
    are alike. A kind without a rule yields nothing, because a policy is a
    list of restrictions.
    """
    for fault in request.faults:
        # What cannot be judged could break any rule of the section.
        modes = {rule.mode for rule in policy.guest_devices.values()} or {None}
        if fault.origin == DOMAIN and policy.passthrough is not None:
            # What no rule is about may be a device of the host.
            modes.add(policy.passthrough.mode)
        # The strongest of these modes counts. To take the file's mode would
        # let a fault pass where a single rule is enforced.
        mode = strongest(policy.mode_for(mode, subject) for mode in modes)
        text = f"{clean(fault.source)}={quote(fault.value)} {fault.message}"
        what = "", fault.source, fault.value, text, fault.fix, fault.names
        any_rule = Rule(GUEST_DEVICES, mode=mode)
        yield _Candidate(any_rule, Cause(*what), request, number=fault.count)
    disk = request.rescue_disk
    # Each part with the properties of its own image; ``only`` of each says
    # which kinds it is about.
    for part in (request, *request.other_files, *((disk,) if disk else ())):
        rules = policy.guest_devices
        # The image of an existing server was judged at its boot. A server is
        # unshelved from Nova's own snapshot, which has no signature.
        if subject.operation in _KEEPS_GUEST:
            rules = {kind: rules[kind] for kind in rules.keys() - OF_FILE}
        if part.only is not None:
            rules = {kind: rules[kind] for kind in rules.keys() & part.only}
        # What the guest asks for.
        for choice in part.choices:
            if rule := rules.get(choice.kind):
                yield _Candidate(rule, choice, part)
        if policy.passthrough is not None and part.passthrough:
            yield from _passthrough(policy.passthrough, part, subject)
        # What Nova picks. For the kinds with a rule only: a policy usually has
        # few.
        defaults = tuple(implied(part, policy.assume, rules))
        for choice in defaults:
            if rule := rules.get(choice.kind):
                yield _Candidate(rule, choice, part, default=True)
        # What a rule wants to be explicit, and kinds with one default for
        # every guest (the catalogue's ``default``).
        for rule in () if part.complete else policy.refusing_default:
            if (
                rule.kind in rules
                # ``implied`` has yielded these if the guest has such a device
                # at all.
                and rule.kind not in DEVICE_OF
                and rule.kind not in NOT_OF_EVERY_GUEST
                and all(
                    choice.kind != rule.kind
                    for choice in (*part.choices, *defaults)
                )
            ):
                kind = KINDS[rule.kind]
                picked = f"Nova picks {kind.default}"
                why = kind.unset if kind.default is None else picked
                choice = default_choice(part, rule.kind, kind.default, why)
                yield _Candidate(rule, choice, part, default=True)


def _passthrough(
    section: PassthroughRule, request: HardwareRequest, subject: Subject
) -> Iterator[_Candidate]:
    """Yield what the section ``passthrough`` is about.

    A move is judged like a boot: ``already`` has the devices that the server
    has, so that only those that a resize adds are refused.
    """
    for item in request.passthrough:
        # A kind that the list does not name is refused. Unlike a device
        # model, a device of the host is never allowed by saying nothing.
        allow = section.allow.get(item.kind, Values())
        what = item.kind, item.source, item.name
        yield _Candidate(
            Rule(PASSTHROUGH_ALLOW, allow, section.mode),
            Cause(*what, synonyms=item.synonyms),
            request,
            number=item.count,
        )
    # Aliases are not in NEVER_ONE_TIME: the scheduler filter checks the
    # devices of each host for them. Check only operations that give the guest
    # devices: a rebuild or a rescue keeps those that it has.
    if ONE_TIME_USE not in section.of_devices or (
        subject.operation not in _GIVES_DEVICES
    ):
        return
    for item in request.passthrough:
        why = NEVER_ONE_TIME.get(item.kind)
        if why:
            text = (
                f"{clean(item.source)} asks for {clean(item.name)}, which "
                f"cannot be {ONE_TIME_USE}: {why}"
            )
            yield _Candidate(
                Rule(PASSTHROUGH_REQUIRE, mode=section.mode),
                Cause(item.kind, item.source, ONE_TIME_USE, text),
                request,
                device=item.name,
            )
