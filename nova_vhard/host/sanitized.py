# SPDX-License-Identifier: Apache-2.0
"""Sanitized names from guests and users, for evidence and reasons."""

from collections.abc import Iterable

LIMIT = 64

_FEW = 3


def shown(text: str, limit: int = LIMIT) -> str:
    """Return a text without control characters, at most limit long."""
    safe = "".join(char for char in text[: 4 * limit] if char.isprintable())
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def few(texts: Iterable[str], limit: int = LIMIT) -> str:
    """Return the first texts, joined, and how many more there are.

    :param limit: characters of each
    """
    every = [shown(item, limit) for item in texts]
    more = f" and {len(every) - _FEW} more" if len(every) > _FEW else ""
    return ", ".join(every[:_FEW]) + more
