# SPDX-License-Identifier: Apache-2.0
"""Faults of a file, each with its place."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from nova_vhard.common.text import clean, quote

Path = tuple[str | int, ...]

#: Faults in the text of an exception, which goes into one line of a log.
IN_TEXT = 20

#: Characters of a fault's place, and of its message.
PATH_LIMIT = 256
MESSAGE_LIMIT = 512

#: Characters of a word for which a near name is looked for.
_WORD = 64


def spell(path: Path) -> str:
    """Return a path as messages have it: ``exemptions[0].id``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{clean(part)}" if text else clean(part)
    return clean(text, PATH_LIMIT)


def nearest(word: object, known: Iterable[str]) -> str:
    """Return a hint at the known name that is nearest to a word.

    :returns: `` (did you mean 'virtio'?)`` or the empty string
    """
    text = str(word)
    short = len(text) <= _WORD
    close = difflib.get_close_matches(text, known) if short else ()
    return f" (did you mean {quote(close[0])}?)" if close else ""


@dataclass(frozen=True, order=True)
class Problem:
    """A fault of a file.

    :ivar file: path of the file
    :ivar line: line, from 1
    :ivar path: place within the document
    :ivar message: what is wrong, and what would be right
    """

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        """Return one line, with the place first."""
        place = f"{self.file}:{self.line}: "
        return place + (f"{self.path}: " if self.path else "") + self.message


def problem(file: str, line: int, path: Path, message: str) -> Problem:
    """Return a fault, safe to be shown."""
    return Problem(file, line, spell(path), clean(message, MESSAGE_LIMIT))


class PolicyError(Exception):
    """Raised when a policy file cannot be used.

    The text names the first faults and counts the others.

    :ivar problems: every fault, by file and line
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        parts = [str(item) for item in self.problems[:IN_TEXT]]
        if more := len(self.problems) - len(parts):
            parts.append(f"and {more} more")
        super().__init__("; ".join(parts))
