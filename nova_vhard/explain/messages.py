# SPDX-License-Identifier: Apache-2.0
"""A violation in words: long for an API, short for a server's fault."""

import functools
import re
from collections.abc import Sequence

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.common.text import (
    MESSAGE_LIMIT,
    clean,
    fit,
    line,
    quote,
)
from nova_vhard.policy.hardware import PASSTHROUGH, VOLUME, DeviceChoice
from nova_vhard.policy.leading import leading
from nova_vhard.policy.verdict import Message, Violation

#: How the text of every refusal begins.
OPENING = "This cloud's hardening policy refuses the request: "

#: What is between the violations and their fix.
TO_FIX = " To fix: "

#: What is before the URL of a rule.
SEE = " See "

#: Bytes of a server's fault that a reason may take up (Nova keeps 230).
SHORT_LIMIT = 200

#: Bytes that the values which a policy allows may take up.
_ALLOWED_LIMIT = 512

#: What marks a cut, in as many bytes as an ellipsis. Horizon takes a message
#: apart at an ellipsis, and shows its first two parts only.
_CUT = "..."


def api_message(
    violations: Sequence[Violation], fix: str = "", help_url: str = ""
) -> str:
    """Explain violations to the person who asked.

    :param violations: at least one
    :param fix: what to do, see ``nova_vhard.explain.fixes.words``
    :param help_url: of a page in which each rule has its anchor
    :returns: one line; each violation (of very many the leading ones) with
        its source, its value, what is allowed, and the rule; then how to fix
        them, commands between backticks; then where the first rule is
        explained, if there is such a page
    """
    url = f"{help_url}#{anchor(violations[0].rules[0])}" if help_url else ""
    return describe(violations, fix, OPENING, url)


def describe(
    violations: Sequence[Violation],
    fix: str = "",
    opening: str = "",
    url: str = "",
) -> str:
    """Say what is violated, without saying what happens."""
    result = leading(violations)
    parts = [_sentence(item) for item in result.shown]
    if len(parts) > 1:
        parts = [f"({i}) {part}" for i, part in enumerate(parts, 1)]
    if result.left_out:
        parts.append(f"And {result.left_out} more.")
    fix = line(f"{TO_FIX}{fix}") if fix else ""
    # Whatever is cut, no command is; and nothing but a command looks like
    # one.
    see = f"{SEE}{line(url)}" if url else ""
    limit = MESSAGE_LIMIT - len(fix.encode()) - len(see.encode())
    sentences = line(opening + " ".join(parts), limit)
    return (sentences.replace("`", "'") + fix).replace("…", _CUT) + see


def asked(violation: Violation) -> str:
    """Return what a violation asks for, and what is allowed, for a table."""
    cause = violation.cause
    if isinstance(cause, Message):
        return line(cause.text)
    return line(f"{_asked(cause)} (allowed: {_allowed(violation.allowed)})")


def advice(violation: Violation) -> str:
    """Return what the catalogue says of the kind of device, if anything."""
    kind = KINDS.get(violation.cause.kind)
    return kind.fix if kind else ""


def anchor(rule: str) -> str:
    """Return the anchor of a rule in the documentation.

    :param rule: id of a rule, ``guest_devices.disk_bus``
    """
    return "rule-" + re.sub(r"[^a-z]+", "-", rule.lower())


def fault_message(
    violations: Sequence[Violation], limit: int = SHORT_LIMIT
) -> str:
    """Explain violations within a server's fault.

    :param violations: at least one
    :param limit: UTF-8 bytes; only whole violations are kept within it
    """
    result = leading(violations)
    phrases = [_phrase(item) for item in result.shown]
    return line(fit(phrases, limit, more=result.left_out))


@functools.lru_cache(maxsize=256)
def _allowed(values: tuple[str, ...]) -> str:
    """Return the values that a rule allows, in words."""
    if not values:
        return "none"
    return fit([clean(value) for value in values], _ALLOWED_LIMIT, ", ")


def _asked(choice: DeviceChoice) -> str:
    if choice.origin == PASSTHROUGH:
        return f"{_source(choice)} asks for {quote(choice.value)}, which"
    if choice.implied is None:
        text = f"{_source(choice)}={quote(choice.written or choice.value)}"
        if choice.written and choice.written.lower() != choice.value:
            text += (
                f" (which Nova reads as {choice.kind} {quote(choice.value)})"
            )
        return text
    return (
        f"{clean(choice.setting)} is not set, and {line(choice.implied, 512)}"
    )


def _source(choice: DeviceChoice) -> str:
    return clean(choice.source, 128)


def _sentence(violation: Violation) -> str:
    cause = violation.cause
    rule = f"[rule {violation.rule}]"
    if isinstance(cause, Message):
        return f"{cause.text}. {rule}"
    allowed = f"(allowed: {_allowed(violation.allowed)})"
    text = f"{_asked(cause)} is not allowed {allowed}"
    if violation.missing:
        text = f"{_asked(cause)}; it must be set {allowed}"
    elif cause.implied is not None:
        text = f"{_asked(cause)}, which is not allowed {allowed}"
    more = advice(violation)
    return f"{text}: {more}. {rule}" if more else f"{text}. {rule}"


def _phrase(violation: Violation) -> str:
    cause = violation.cause
    if isinstance(cause, Message):
        return cause.text
    if cause.origin == PASSTHROUGH:
        asked = f"{_source(cause)} asks for {clean(cause.value)}"
        return f"{asked} (allowed: {_allowed(violation.allowed)})"
    if cause.implied is None:
        name = cause.setting or cause.kind
        asked = f"{clean(name)}={clean(cause.written or cause.value)}"
        if cause.origin == VOLUME:
            asked = f"volume's {asked}"
    elif violation.missing:
        asked = f"{clean(cause.setting)} must be set"
    else:
        asked = f"{clean(cause.setting)} not set means {clean(cause.value)}"
    return f"{asked} (allowed: {_allowed(violation.allowed)})"
