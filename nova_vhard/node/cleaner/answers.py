# SPDX-License-Identifier: Apache-2.0
"""A device's own tool, such as nvme: run within limits, its JSON read."""

import json
import time
from typing import Any

from nova_vhard.common.text import clean
from nova_vhard.host.root import Unreadable, unreadable
from nova_vhard.node.cleaner import program

# Seconds before a step's end by which a tool has to have ended, so that the
# step itself can say what it waited for.
_MARGIN = 2.0
# Bytes of JSON, and characters of an error that are kept.
_LIMIT, _WIDTH = 256 << 10, 200
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


class Tool:
    """A program that nobody but root can change.

    :param path: of the program
    :param seconds: that all of its runs may take together
    :raises Unreadable: if others can change it, or it is not there
    """

    def __init__(self, path: str, seconds: float) -> None:
        """Look whether the program may be run."""
        self._name = path
        self._deadline = time.monotonic() + max(seconds - _MARGIN, 1.0)
        try:
            self._path = program.check(path)
        except program.Refused as error:
            raise unreadable(path, f"was not run: {error}") from error

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(self._deadline - time.monotonic(), 0.0)

    def order(self, *words: str) -> str:
        """Run a command of the tool and return its output.

        :raises Unreadable: if it fails or does not end in time
        """
        try:
            ended = program.run(
                (self._path, *words), _ENVIRONMENT, self.left, _LIMIT
            )
        except program.Refused as error:
            raise unreadable(self._name, f"was not run: {error}") from error
        text = ended.output.decode("utf-8", "replace")
        if ended.status != 0:
            try:
                said = str(json.loads(text)["error"])
            except (ValueError, KeyError, TypeError, RecursionError):
                said = " ".join(text.split())
            raise self._failed(words, f"{ended.outcome}: {said}")
        return text

    def ask(self, *words: str) -> dict[str, Any]:
        """Return the JSON object in the output, ignoring text around it.

        :raises Unreadable: if the command fails, or prints no JSON object
        """
        text = self.order(*words)
        try:
            result = json.loads(text[text.index("{") : text.rindex("}") + 1])
        except (ValueError, RecursionError) as error:
            raise self._failed(words, "prints no JSON object") from error
        return dict(result)

    def _failed(self, words: tuple[str, ...], reason: str) -> Unreadable:
        command = " ".join((self._name, *words))
        return unreadable(clean(command, _WIDTH), clean(reason, _WIDTH))


def number(answer: Any, *path: str) -> int:
    """Return a whole number that is not negative, out of an answer.

    :param path: keys that lead to it
    :raises Unreadable: if there is none
    """
    for key in path:
        answer = answer.get(key) if isinstance(answer, dict) else None
    if type(answer) is not int or answer < 0:
        raise unreadable(".".join(path), f"no number: {clean(answer)}")
    return answer
