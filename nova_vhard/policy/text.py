# SPDX-License-Identifier: Apache-2.0
"""What an outsider wrote, made safe for a message, a log line or a page."""

import unicodedata
from collections.abc import Sequence

LIMIT = 64

# Cc control, Cf format (bidirectional overrides), Cs surrogate, Co private,
# Zl and Zp line and paragraph separators.
_UNSAFE = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))


def clean(value: object, limit: int = LIMIT) -> str:
    """Return a value without control characters, at most limit long.

    :param value: text from outside; anything else is written out first
    :param limit: characters; what is cut off is marked by an ellipsis
    """
    text = value if isinstance(value, str) else str(value)
    safe = text[: 4 * limit]
    if not safe.isprintable():
        safe = "".join(
            char for char in safe if unicodedata.category(char) not in _UNSAFE
        )
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def quote(value: object, limit: int = LIMIT) -> str:
    """Return a cleaned value in quotes."""
    return "'" + clean(value, limit).replace("'", "`") + "'"


def fit(
    parts: Sequence[str], limit: int, separator: str = "; ", more: int = 0
) -> str:
    """Join whole parts within a number of UTF-8 bytes.

    Parts that do not fit are counted at the end: ``a; b; and 3 more``. A
    first part that does not fit alone is cut.

    :param parts: texts, the most important first
    :param limit: bytes
    :param more: how many parts there are beside these
    """
    best, size = 0, -len(separator)
    for count, part in enumerate(parts, 1):
        size += len(separator) + len(part.encode(errors="replace"))
        if size > limit:
            break
        if size + len(_rest(len(parts) - count + more, separator)) <= limit:
            best = count
    if best:
        rest = _rest(len(parts) - best + more, separator)
        return separator.join(parts[:best]) + rest
    return parts[0].encode()[:limit].decode(errors="ignore") if parts else ""


def _rest(count: int, separator: str) -> str:
    return f"{separator}and {count} more" if count else ""
