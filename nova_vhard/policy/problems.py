# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a policy file, all of it, each with its place."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from nova_vhard.policy.text import clean, quote

Path = tuple[str | int, ...]


def spell(path: Path) -> str:
    """Write a path as it is written in messages: ``exemptions[0].id``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{clean(part)}" if text else clean(part)
    return text


def nearest(word: object, known: Iterable[str]) -> str:
    """Propose the known name that is nearest to a word.

    :returns: `` (did you mean 'virtio'?)`` or the empty string
    """
    names = list(known)
    close = difflib.get_close_matches(str(word), names, 1, 0.6)
    return f" (did you mean {quote(close[0])}?)" if close else ""


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


class PolicyError(Exception):
    """A policy file cannot be used.

    :ivar problems: every fault that was found, by file and line
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the faults in the order of the file."""
        self.problems = tuple(sorted(set(problems)))
        super().__init__("; ".join(str(one) for one in self.problems))
