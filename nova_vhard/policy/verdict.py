# SPDX-License-Identifier: Apache-2.0
"""evaluate(): a request against a policy, all violations at once."""

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.passthrough import NEVER_ONE_TIME, ONE_TIME_USE
from nova_vhard.policy.defaults import DEVICE_OF, implied
from nova_vhard.policy.hardware import PASSTHROUGH, HardwareRequest, Wish
from nova_vhard.policy.model import (
    DeviceRule,
    Mode,
    Policy,
    Values,
    strongest,
    weaker,
)
from nova_vhard.policy.subject import (
    ATTACH,
    BOOT,
    MOVE,
    RESIZE,
    UNSHELVE,
    Subject,
)
from nova_vhard.policy.text import clean

ALLOW = "allow"
REFUSE = "refuse"
DISABLED = "disabled"

PASSTHROUGH_ALLOW = "passthrough.allow"
PASSTHROUGH_REQUIRE = "passthrough.require"

#: Operations in which a guest gets devices.
_ISSUED = frozenset((BOOT, MOVE, RESIZE, UNSHELVE, ATTACH))

#: Rule, value and number: what makes two violations the same one.
Key = tuple[str, str | None, str]

_OUTCOMES = {None: ALLOW, Mode.ENFORCE: REFUSE}


@dataclass(frozen=True, slots=True)
class Violation:
    """A wish that breaks a rule.

    :ivar rule: id of the rule, its place in the policy file
    :ivar wish: what was asked for, or what Nova would pick
    :ivar allowed: the values that the policy allows
    :ivar mode: what happens
    :ivar missing: whether the fault is that the image does not say it
    :ivar count: how many devices of the host are asked for
    :ivar said: the whole explanation, where it is about no device
    """

    rule: str
    wish: Wish
    allowed: tuple[str, ...]
    mode: Mode
    missing: bool = False
    said: str | None = None
    count: str = ""

    @property
    def key(self) -> Key:
        """What makes two violations the same one."""
        return (self.rule, self.wish.value, self.count)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything that the policy has to say about one request.

    :ivar violations: what breaks a rule, in the order of the request
    :ivar exempted: what an exemption lets through, with the exemption's id
    :ivar policy: digest of the policy that judged
    :ivar enabled: False where the policy is switched off
    """

    violations: tuple[Violation, ...] = ()
    exempted: tuple[tuple[Violation, str], ...] = ()
    policy: str = ""
    enabled: bool = True

    @property
    def refusals(self) -> tuple[Violation, ...]:
        """The violations that refuse the request."""
        return tuple(
            one for one in self.violations if one.mode is Mode.ENFORCE
        )

    @property
    def warnings(self) -> tuple[Violation, ...]:
        """The violations that pass with a warning."""
        return tuple(one for one in self.violations if one.mode is Mode.WARN)

    @property
    def mode(self) -> Mode | None:
        """The strongest mode among the violations."""
        return strongest(one.mode for one in self.violations)

    @property
    def outcome(self) -> str:
        """One of allow, refuse, warn, audit, disabled."""
        if not self.enabled:
            return DISABLED
        mode = self.mode
        return _OUTCOMES.get(mode, str(mode))


def evaluate(
    policy: Policy,
    request: HardwareRequest,
    subject: Subject,
    today: datetime.date,
    already: frozenset[Key] = frozenset(),
) -> Verdict:
    """Judge what a guest asks for.

    :param policy: the policy that holds
    :param request: the choices of the guest
    :param subject: who asks, and in the course of what
    :param today: the day (UTC) by which exemptions are judged
    :param already: violations that the server had before; they are judged
        as those of a move, so that no server is stranded
    """
    if not policy.enabled:
        return Verdict(policy=policy.digest, enabled=False)
    kept: list[Violation] = []
    exempted: list[tuple[Violation, str]] = []
    for violation in _violations(policy, request, subject):
        exemption = policy.exemption(
            violation.rule, violation.wish.value, subject, today
        )
        if exemption is None:
            kept.append(_softened(policy, violation, already))
        else:
            exempted.append((violation, exemption.id))
    return Verdict(tuple(kept), tuple(exempted), policy.digest)


def violated(
    policy: Policy,
    requests: Iterable[HardwareRequest],
    subject: Subject,
    today: datetime.date,
) -> frozenset[Key]:
    """Return what requests violate, such as those that a server stands for."""
    return frozenset(
        one.key
        for request in requests
        for one in evaluate(policy, request, subject, today).violations
    )


def with_more(verdict: Verdict, more: Iterable[Violation]) -> Verdict:
    """Return a verdict with violations of another kind added."""
    return replace(verdict, violations=(*verdict.violations, *more))


def _softened(
    policy: Policy, violation: Violation, already: frozenset[Key]
) -> Violation:
    if violation.key not in already or violation.rule == PASSTHROUGH_REQUIRE:
        # A device never moves without proof, whoever had one before.
        return violation
    mode = weaker(violation.mode, policy.moves_guest_devices)
    return replace(violation, mode=mode)


def soften(verdict: Verdict, mode: Mode) -> Verdict:
    """Return a verdict that is nowhere harder than a mode."""
    softer = tuple(
        replace(one, mode=weaker(one.mode, mode)) for one in verdict.violations
    )
    return replace(verdict, violations=softer)


def charged(
    after: Verdict, before: Verdict, touched: frozenset[str]
) -> Verdict:
    """Return the verdict on a change: what it brings in, or keeps.

    :param after: on the image as it would be
    :param before: on the image as it is
    :param touched: names of the properties that the change names
    """
    old = {one.key for one in before.violations}
    kept = tuple(
        one
        for one in after.violations
        if one.key not in old or one.wish.names & touched
    )
    return replace(after, violations=kept)


def _violations(
    policy: Policy, request: HardwareRequest, subject: Subject
) -> Iterator[Violation]:
    rules = {
        kind: rule
        for kind, rule in policy.guest_devices.items()
        if request.only is None or kind in request.only
    }
    for wish in request.wishes:
        rule = rules.get(wish.kind)
        if rule and wish.value not in rule.allow:
            yield _violation(policy, rule, wish, subject)
    yield from _passthrough(policy, request, subject)
    yield from _never_one_time(policy, request, subject)
    defaults = tuple(implied(request, policy.assume))
    for wish in defaults:
        rule = rules.get(wish.kind)
        if rule is None:
            continue
        known = wish.value is not None
        if known and wish.value not in rule.allow:
            yield _violation(policy, rule, wish, subject, rule.explicit)
        elif rule.explicit:
            yield _violation(policy, rule, wish, subject, True)
    for rule in rules.values():
        if rule.explicit and _unsaid(rule, request, defaults):
            wish = _nothing(rule, request)
            yield _violation(policy, rule, wish, subject, True)


def _violation(
    policy: Policy,
    rule: DeviceRule,
    wish: Wish,
    subject: Subject,
    missing: bool = False,
) -> Violation:
    mode = policy.mode_for(rule.mode, subject, policy.moves_guest_devices)
    return Violation(rule.id, wish, rule.allow.listed, mode, missing)


def _passthrough(
    policy: Policy, request: HardwareRequest, subject: Subject
) -> Iterator[Violation]:
    """Yield devices of the host that nobody may ask for.

    A move is judged like a boot: what the server had already is told by
    ``already``, so that only what a resize brings in is refused.
    """
    rule = policy.passthrough
    if rule is None:
        return
    mode = policy.mode_for(rule.mode, subject)
    for one in request.passthrough:
        allowed = rule.allow.get(one.kind, Values())
        if one.name not in allowed:
            wish = Wish(
                kind=one.kind,
                value=one.name,
                source=one.source,
                setting=one.source,
                origin=PASSTHROUGH,
            )
            yield Violation(
                PASSTHROUGH_ALLOW,
                wish,
                allowed.listed,
                mode,
                count=one.count,
            )


def _never_one_time(
    policy: Policy, request: HardwareRequest, subject: Subject
) -> Iterator[Violation]:
    """Yield devices that can never be one_time_use where each must be.

    What an alias asks for is judged by the hosts' devices.
    """
    rule = policy.passthrough
    if rule is None or ONE_TIME_USE not in rule.of_devices:
        return
    if subject.operation not in _ISSUED:
        return
    mode = policy.mode_for(rule.mode, subject)
    for one in request.passthrough:
        why = NEVER_ONE_TIME.get(one.kind)
        if why is None:
            continue
        said = (
            f"{clean(one.source)} asks for {clean(one.name)}, which cannot "
            f"be {ONE_TIME_USE}: {why}"
        )
        wish = Wish(one.kind, ONE_TIME_USE, one.source, origin=PASSTHROUGH)
        yield Violation(
            PASSTHROUGH_REQUIRE, wish, (), mode, said=said, count=one.name
        )


def _unsaid(
    rule: DeviceRule, request: HardwareRequest, defaults: tuple[Wish, ...]
) -> bool:
    """Tell whether a kind that has no default of its own is not set."""
    if rule.kind in DEVICE_OF or rule.kind == "scsi_model":
        return False
    said = (*request.explicit(rule.kind), *defaults)
    return all(wish.kind != rule.kind for wish in said)


def _nothing(rule: DeviceRule, request: HardwareRequest) -> Wish:
    setting = KINDS[rule.kind].image_properties[0]
    return Wish(
        kind=rule.kind,
        value=None,
        source=f"{request.origin} property {setting} (not set)",
        setting=setting,
        origin=request.origin,
        names=frozenset((setting,)),
        implied="the host decides",
    )
