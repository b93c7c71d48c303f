# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a policy file, each fault with its place.

Everything here is bounded: a file of two megabytes can have a fault in every
second byte, and what says so must neither take minutes nor fill a log.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from nova_vhard.common.text import clean, quote

Path = tuple[str | int, ...]

#: Faults of one policy that are kept with their words; others are counted.
KEPT = 100

#: Faults of one policy after which nobody looks for more.
COUNTED = 10_000

#: Faults in the text of an exception, which goes into one line of a log.
IN_TEXT = 20

#: Characters of a fault's place, and of its message.
PATH_LIMIT = 256
MESSAGE_LIMIT = 512

#: Characters of a word for which a near name is looked for.
_WORD = 64


def spell(path: Path) -> str:
    """Write a path as it is written in messages: ``exemptions[0].id``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{clean(part)}" if text else clean(part)
    return clean(text, PATH_LIMIT)


def nearest(word: object, known: Iterable[str]) -> str:
    """Propose the known name that is nearest to a word.

    :returns: `` (did you mean 'virtio'?)`` or the empty string
    """
    text = str(word)
    short = len(text) <= _WORD
    close = difflib.get_close_matches(text, known) if short else ()
    return f" (did you mean {quote(close[0])}?)" if close else ""


class Hints:
    """Proposes near names for the first faults of a policy.

    A proposal costs more than all the rest of a fault, and nobody reads the
    proposals of faults that are only counted.
    """

    def __init__(self, count: int = KEPT) -> None:
        """Allow a number of proposals.

        :param count: words for which a near name is looked for
        """
        self._left = count

    def nearest(self, word: object, known: Iterable[str]) -> str:
        """Propose a name as the function ``nearest`` does."""
        if self._left <= 0:
            return ""
        self._left -= 1
        return nearest(word, known)


@dataclass(frozen=True, order=True)
class Problem:
    """One fault of a policy file.

    :ivar file: path of the file
    :ivar line: line, from 1
    :ivar path: place within the document
    :ivar message: what is wrong and how to mend it
    """

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        """Say it in one line, the place first."""
        place = f"{self.file}:{self.line}: "
        return place + (f"{self.path}: " if self.path else "") + self.message


class Problems:
    """The faults of one policy, collected while its files are read.

    :ivar kept: the first of them, with their words
    :ivar count: how many there are
    """

    def __init__(self) -> None:
        self.kept: list[Problem] = []
        self.count = 0

    @property
    def full(self) -> bool:
        """Whether there are so many that nobody needs to look for more."""
        return self.count >= COUNTED

    def add(self, file: str, line: int, path: Path, message: str) -> None:
        """Add a fault; what is beyond the bound is only counted."""
        self.count += 1
        if self.count <= KEPT:
            text = clean(message, MESSAGE_LIMIT)
            self.kept.append(Problem(file, line, spell(path), text))

    def error(self) -> "PolicyError":
        """Return the exception that carries them."""
        return PolicyError(self.kept, self.count - len(self.kept))


class PolicyError(Exception):
    """Raised when a policy file cannot be used.

    :ivar problems: the faults that were found, by file and line; of very
        many the first
    :ivar more: how many there are beyond those
    """

    def __init__(self, problems: Iterable[Problem], more: int = 0) -> None:
        """Keep the faults in the order of the file.

        :param more: faults that are not among the problems
        """
        result = sorted(set(problems))
        self.problems = tuple(result[:KEPT])
        self.more = more + len(result) - len(self.problems)
        super().__init__(self._text())

    def _text(self) -> str:
        parts = [str(problem) for problem in self.problems[:IN_TEXT]]
        left = self.more + len(self.problems) - len(parts)
        return "; ".join([*parts, *([more_text(left)] if left else [])])


class UnexpectedError(PolicyError):
    """Raised when a policy cannot be read by a fault of this package.

    What the fault is is its ``__cause__``.
    """


def unexpected(file: str, error: Exception) -> UnexpectedError:
    """Return what to raise, from another exception, in its place.

    :param file: path of the file that was being read
    """
    text = f"cannot be read, by a fault of nova-vhard: {type(error).__name__}"
    stated = clean(error, PATH_LIMIT)
    message = f"{text}: {stated}" if stated else text
    return UnexpectedError([Problem(file, 1, "", message)])


def more_text(count: int) -> str:
    """Say how many faults are not named."""
    about = "at least " if count >= COUNTED - KEPT else ""
    return f"and {about}{count} more"
