# SPDX-License-Identifier: Apache-2.0
"""A violation in words: long for an API, short for a server's fault."""

from collections.abc import Sequence

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.policy.hardware import BLOCK_DEVICE, FLAVOR, VOLUME
from nova_vhard.policy.text import clean, fit, quote
from nova_vhard.policy.verdict import Violation

#: Bytes of a server's fault that a reason may take up (Nova keeps 230).
SHORT_LIMIT = 200

_OPENING = "This cloud's hardening policy refuses the request: "


def long(violations: Sequence[Violation]) -> str:
    """Explain violations to the person who asked.

    :param violations: at least one
    :returns: one line; each violation with its source, its value, what is
        allowed, how to fix it, and the rule
    """
    return _OPENING + describe(violations)


def describe(violations: Sequence[Violation]) -> str:
    """Say what is violated, without saying what happens."""
    parts = [_sentence(one) for one in violations]
    if len(parts) > 1:
        parts = [f"({i}) {part}" for i, part in enumerate(parts, 1)]
    return " ".join(parts)


def short(violations: Sequence[Violation], limit: int = SHORT_LIMIT) -> str:
    """Explain violations within a server's fault.

    :param violations: at least one
    :param limit: UTF-8 bytes; only whole violations are kept within it
    """
    return fit([_phrase(one) for one in violations], limit)


def _allowed(violation: Violation) -> str:
    if not violation.allowed:
        return "none"
    return ", ".join(clean(value) for value in violation.allowed)


def _asked(violation: Violation) -> str:
    wish = violation.wish
    if wish.implied is None:
        text = f"{wish.source}={quote(wish.written or wish.value)}"
        if wish.written and wish.written.lower() != wish.value:
            text += f" (which Nova reads as {wish.kind} {quote(wish.value)})"
        return text
    return f"{wish.setting} is not set, and {wish.implied}"


def _sentence(violation: Violation) -> str:
    allowed = f"(allowed: {_allowed(violation)})"
    text = f"{_asked(violation)} is not allowed {allowed}"
    if violation.missing:
        text = f"{_asked(violation)}; it must be set {allowed}"
    elif violation.wish.implied is not None:
        text = f"{_asked(violation)}, which is not allowed {allowed}"
    return f"{text}. To fix: {_fix(violation)}. [rule {violation.rule}]"


def _phrase(violation: Violation) -> str:
    wish = violation.wish
    if wish.implied is None:
        name = wish.setting or wish.kind
        asked = f"{clean(name)}={clean(wish.written or wish.value)}"
    elif violation.missing:
        asked = f"{wish.setting} must be set"
    else:
        asked = f"{wish.setting} not set means {clean(wish.value)}"
    return f"{asked} (allowed: {_allowed(violation)})"


def _fix(violation: Violation) -> str:
    kind = KINDS[violation.wish.kind]
    good = next(
        (one for one in violation.allowed if not set(one) & set("*?[")), None
    )
    return f"{_command(violation, good)}; {kind.fix}"


def _command(violation: Violation, good: str | None) -> str:
    """Say what to type, or what to change where nothing can be typed."""
    wish = violation.wish
    setting = clean(wish.setting)
    if wish.origin == FLAVOR:
        return f"choose a flavor without {setting}"
    if "[" in setting or wish.origin == BLOCK_DEVICE:
        change = f"to {good}" if good else "away"
        return f"change {setting} {change}"
    what, option = "image", "--property"
    if wish.origin == VOLUME:
        what, option = "volume", "--image-property"
    if good is None:
        return f"openstack {what} unset {option} {setting} {what.upper()}"
    name = KINDS[wish.kind].image_properties[0]
    return f"openstack {what} set {option} {name}={good} {what.upper()}"
