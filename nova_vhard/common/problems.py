# SPDX-License-Identifier: Apache-2.0
"""Errors in a file, each with its place."""

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
    """Format a path for messages, such as ``exemptions[0].id``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{clean(part)}" if text else clean(part)
    return clean(text, PATH_LIMIT)


def nearest(word: object, known: Iterable[str]) -> str:
    """Return a hint with the known name that is most similar to a word.

    :returns: `` (did you mean 'virtio'?)`` or the empty string
    """
    text = str(word)
    short = len(text) <= _WORD
    close = difflib.get_close_matches(text, known) if short else ()
    return f" (did you mean {quote(close[0])}?)" if close else ""


@dataclass(frozen=True, order=True)
class Problem:
    """An error in a file.

    :ivar file: path of the file
    :ivar line: line, from 1; 0 if the file cannot be read
    :ivar path: place within the document
    :ivar message: the error, and what is expected
    """

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        """Return one line, with the place first."""
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: "
        return place + (f"{self.path}: " if self.path else "") + self.message


def problem(file: str, line: int, path: Path, message: str) -> Problem:
    """Return a Problem whose text is sanitized for display."""
    return Problem(file, line, spell(path), clean(message, MESSAGE_LIMIT))


class PolicyError(Exception):
    """Raised when a policy file cannot be used.

    The text lists the first errors and counts the others.

    :ivar problems: all errors, sorted by file and line
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        parts = [str(item) for item in self.problems[:IN_TEXT]]
        if more := len(self.problems) - len(parts):
            parts.append(f"and {more} more")
        super().__init__("; ".join(parts))
