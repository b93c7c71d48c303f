# SPDX-License-Identifier: Apache-2.0
"""A line of progress on a terminal; nothing anywhere else."""

import sys
import time
from typing import TextIO

_EVERY = 0.1


class Progress:
    """Counts what has been looked at.

    :param what: what is counted, ``images``
    """

    def __init__(self, what: str, stream: TextIO | None = None) -> None:
        self._what = what
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty()
        self._count = 0
        self._next = 0.0

    def step(self, number: int) -> None:
        """Count one more.

        :param number: how many violate so far
        """
        self._count += 1
        now = time.monotonic()
        if self._shown and now >= self._next:
            self._next = now + _EVERY
            self._write(f"{self._count} {self._what}, {number} violate")

    def end(self) -> None:
        """Clear the line."""
        if self._shown:
            self._write("")

    def _write(self, text: str) -> None:
        self._stream.write(f"\r\033[K{text}")
        self._stream.flush()
