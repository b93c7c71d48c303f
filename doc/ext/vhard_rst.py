# SPDX-License-Identifier: Apache-2.0
"""Pieces of reStructuredText, for the parts that are written from code."""

from collections.abc import Iterable
from typing import Any


def heading(text: str) -> str:
    """Return a heading of the lowest level that the pages use."""
    return f"{text}\n{'-' * len(text)}\n"


def table(
    head: Iterable[str],
    rows: Iterable[Iterable[str]],
    widths: Iterable[int],
) -> str:
    """Return a table with a row of headings.

    :param widths: of the columns, in parts of the whole
    """
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        f"   :widths: {' '.join(str(one) for one in widths)}",
        "",
    ]
    for row in (head, *rows):
        for index, cell in enumerate(row):
            lines.append(f"   {'  -' if index else '* -'} {cell}")
    return "\n".join(lines) + "\n"


def literals(words: Iterable[Any]) -> str:
    """Return words as a policy file spells them, in a row."""
    return ", ".join(f"``{_word(word)}``" for word in words)


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def plain(text: str) -> str:
    """Escape what reStructuredText would read as markup."""
    return "".join(
        f"\\{char}" if char in "\\*`|_" else char
        for char in " ".join(text.split())
    )
