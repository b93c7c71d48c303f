# SPDX-License-Identifier: Apache-2.0
"""Format violations: long for an API response, short for a server fault."""

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
from nova_vhard.policy.hardware import VOLUME
from nova_vhard.policy.top_violations import leading
from nova_vhard.policy.verdict import Cause, Violation

#: Start of every refusal.
OPENING = "This cloud's hardening policy refuses the request: "

#: Text between the violations and their fix.
TO_FIX = " To fix: "

#: Text before the URL of a rule.
SEE = " See "

#: Maximum bytes of the reason in a server fault (Nova keeps 230).
SHORT_LIMIT = 200

#: Maximum size of the list of allowed values, in bytes.
_ALLOWED_LIMIT = 512

#: Truncation mark, as many bytes long as an ellipsis character. Horizon splits
#: messages at an ellipsis and shows only the first two parts.
_CUT = "..."


def api_message(
    violations: Sequence[Violation], fix: str = "", help_url: str = ""
) -> str:
    """Return the refusal for an API response.

    :param violations: at least one
    :param fix: remediation, see ``nova_vhard.explain.fixes.words``
    :param help_url: URL of a page that has an anchor for each rule
    :returns: one line. It lists the violations (the leading ones if there are
        many) with source, value, allowed values and rule. Then come the fix,
        with commands in backticks, and the URL of the first rule if
        ``help_url`` is set
    """
    url = f"{help_url}#{anchor(violations[0].rules[0])}" if help_url else ""
    return describe(violations, fix, OPENING, url)


def describe(
    violations: Sequence[Violation],
    fix: str = "",
    opening: str = "",
    url: str = "",
) -> str:
    """Return violations and their fix as one line.

    :param fix: remediation, see ``nova_vhard.explain.fixes.words``
    :param opening: start of the line, such as ``OPENING``
    :param url: URL that explains the first rule
    """
    result = leading(violations)
    # Many block devices may violate one rule: explain it once.
    first = {item.cause.what: item for item in reversed(result.shown)}
    parts = [
        _sentence(item, first[item.cause.what] is item)
        for item in result.shown
    ]
    if len(parts) > 1:
        parts = [f"({i}) {part}" for i, part in enumerate(parts, 1)]
    if result.left_out:
        parts.append(f"And {result.left_out} more.")
    fix = line(f"{TO_FIX}{fix}") if fix else ""
    # Truncate only the sentences, never the commands. Only commands may have
    # backticks.
    see = f"{SEE}{line(url)}" if url else ""
    limit = MESSAGE_LIMIT - len(fix.encode()) - len(see.encode())
    sentences = line(opening + " ".join(parts), limit)
    return (sentences.replace("`", "'") + fix).replace("…", _CUT) + see


def asked(violation: Violation) -> str:
    """Return the refused request and the allowed values, for a table."""
    cause = violation.cause
    if cause.text:
        return line(cause.text)
    return line(f"{_asked(cause)} (allowed: {_allowed(violation.allowed)})")


def advice(violation: Violation) -> str:
    """Return what the guest needs after a fix, by its device kind, or ""."""
    kind = KINDS.get(violation.cause.what)
    return kind.needs if kind else ""


def anchor(rule: str) -> str:
    """Return the anchor of a rule in the documentation.

    :param rule: id of a rule, such as ``guest_devices.disk_bus``
    """
    return "rule-" + re.sub(r"[^a-z]+", "-", rule.lower())


def fault_message(
    violations: Sequence[Violation], limit: int = SHORT_LIMIT
) -> str:
    """Return the reason in a server fault.

    :param violations: at least one
    :param limit: maximum UTF-8 bytes; violations are included whole or not
        at all
    """
    result = leading(violations)
    phrases = [_phrase(item) for item in result.shown]
    return line(fit(phrases, limit, more=result.left_out))


@functools.lru_cache(maxsize=256)
def _allowed(values: tuple[str, ...]) -> str:
    """Format the values that a rule allows."""
    if not values:
        return "no value"
    return fit([clean(value) for value in values], _ALLOWED_LIMIT, ", ")


def _asked(cause: Cause) -> str:
    where, choice = clean(cause.where, 128), cause.choice
    if choice is None:
        return f"{where} asks for {quote(cause.value)}, which"
    if choice.implied is None:
        text = f"{where}={quote(choice.written or choice.value)}"
        if choice.written and choice.written.lower() != choice.value:
            text += (
                f" (which Nova reads as {choice.kind} {quote(choice.value)})"
            )
        return text
    return (
        f"{clean(choice.setting)} is not set, and {line(choice.implied, 512)}"
    )


def _sentence(violation: Violation, is_first: bool) -> str:
    """Format a violation, with a reason if it is the first of its kind."""
    cause, choice = violation.cause, violation.cause.choice
    rule = f"[rule {violation.rule}]"
    if cause.text:
        return f"{cause.text}. {rule}"
    allowed = f"(allowed: {_allowed(violation.allowed)})"
    text = f"{_asked(cause)} is not allowed {allowed}"
    if violation.missing:
        text = f"{_asked(cause)}; it must be set {allowed}"
    elif choice is not None and choice.implied is not None:
        text = f"{_asked(cause)}, which is not allowed {allowed}"
    kind = KINDS.get(cause.what) if is_first else None
    more = "; ".join(filter(None, (kind.why, kind.needs))) if kind else ""
    return f"{text}: {more}. {rule}" if more else f"{text}. {rule}"


def _phrase(violation: Violation) -> str:
    cause, choice = violation.cause, violation.cause.choice
    if cause.text:
        return cause.text
    if choice is None:
        asked = f"{clean(cause.where, 128)} asks for {clean(cause.value)}"
    elif choice.implied is None:
        name = choice.setting or choice.kind
        asked = f"{clean(name)}={clean(choice.written or choice.value)}"
        if choice.origin == VOLUME:
            asked = f"volume's {asked}"
    elif violation.missing:
        asked = f"{clean(choice.setting)} must be set"
    else:
        asked = f"{clean(choice.setting)} not set means {clean(choice.value)}"
    return f"{asked} (allowed: {_allowed(violation.allowed)})"
