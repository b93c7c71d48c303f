# SPDX-License-Identifier: Apache-2.0
"""Sanitizing of untrusted text before output.

Every text that leaves passes through here: answers, logs, events, tables, the
report, the faults of servers (tests/unit/test_closed_set.py).
"""

import unicodedata
from collections.abc import Sequence

#: Characters of a single value.
LIMIT = 64

#: Bytes of an answer, of a cell of a table, and of a line on a terminal.
MESSAGE_LIMIT = 16 * 1024

# Of a character in UTF-8.
_MOST_BYTES = 4

# Cc control, Cf format (bidirectional overrides), Cn not assigned, Cs
# surrogate, Co private, Zl and Zp line and paragraph separators.
_UNSAFE = frozenset(("Cc", "Cf", "Cn", "Cs", "Co", "Zl", "Zp"))


def clean(value: object, limit: int = LIMIT) -> str:
    """Return a value without control characters, at most limit long.

    :param value: text from outside; anything else is written out first
    :param limit: characters; what is cut off is marked by an ellipsis
    """
    if type(value) is str and len(value) <= limit and value.isprintable():
        return value
    safe = _safe(_text(value)[: 4 * limit])
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def quote(value: object, limit: int = LIMIT) -> str:
    """Return a cleaned value in quotes."""
    return "'" + clean(value, limit).replace("'", "`") + "'"


def line(value: object, limit: int = MESSAGE_LIMIT) -> str:
    """Return a whole message in one line, for instance of an exception.

    :param value: words of ours, with values of outsiders among them
    :param limit: UTF-8 bytes; what is cut off is marked by an ellipsis
    """
    text = _text(value)[: 4 * limit]
    if not text.isprintable():
        text = _safe(" ".join(text.split()))
    elif _MOST_BYTES * len(text) <= limit:
        return text
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    return encoded[: limit - 3].decode(errors="ignore") + "…"


def lines(value: object, limit: int = MESSAGE_LIMIT) -> str:
    """Return a text of several lines, such as a table, each made safe."""
    return "\n".join(line(part, limit) for part in _text(value).split("\n"))


def fit(
    parts: Sequence[str], limit: int, separator: str = "; ", more: int = 0
) -> str:
    """Join whole parts within a number of UTF-8 bytes.

    Parts that do not fit are counted at the end: ``a; b; and 3 more``. If not
    even the first part fits together with that count, it is cut to the limit,
    and nothing is counted.

    :param parts: texts, the most important first
    :param limit: bytes
    :param more: number of further parts, which are only counted
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
    first = line(parts[0]) if parts else ""
    return first.encode()[:limit].decode(errors="ignore")


def _rest(count: int, separator: str) -> str:
    return f"{separator}and {count} more" if count else ""


def _text(value: object) -> str:
    """Return a value as text, even if its ``__str__`` raises."""
    if isinstance(value, str):
        return value
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a value that cannot be written out
        return f"<{type(value).__name__}>"


def _safe(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        char for char in text if unicodedata.category(char) not in _UNSAFE
    )
