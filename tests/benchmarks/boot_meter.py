# SPDX-License-Identifier: Apache-2.0
"""Processor time of the daemons of a cloud.

Each daemon is a session of its own, including all processes that it forked.
"""

import contextlib
import time
from collections.abc import Callable, Collection
from pathlib import Path

from tests.benchmarks.client import processor_time

#: Seconds of a look whether a cloud has come to rest, and looks in a row.
LOOK, CALM = 0.1, 3
#: Of the processor, in a look, above what it takes at rest.
SLACK = 0.004
#: Seconds after which a cloud that does not come to rest counts as broken.
_LONG = 60


class Restless(Exception):
    """Raised if a cloud does not come to rest without requests."""


class Meter:
    """Adds up what the processes of some sessions have run.

    :param sessions: ids of the sessions
    :param idle: seconds of the processor that a look at the cloud finds
        where nothing is asked
    """

    def __init__(self, sessions: Collection[int], idle: float = 0.0) -> None:
        """Look at nothing yet."""
        self._sessions = frozenset(sessions)
        self._ran: dict[int, float] = {}
        self.idle = idle

    def seconds(self) -> float:
        """Return what all of them have run, those that have ended too."""
        for pid in self._members():
            with contextlib.suppress(OSError):
                self._ran[pid] = processor_time(pid)
        return sum(self._ran.values())

    def settle(self, seconds: float = 5.0) -> None:
        """Find out how much the cloud runs while nothing is asked."""
        begun = self.seconds()
        time.sleep(seconds)
        self.idle = (self.seconds() - begun) * LOOK / seconds

    def at_rest(self, sleep: Callable[[float], None] = time.sleep) -> float:
        """Wait until the cloud has come to rest; return what it has run.

        :raises Restless: if it does not
        """
        ran, calm = self.seconds(), 0
        for _ in range(int(_LONG / LOOK)):
            sleep(LOOK)
            before, ran = ran, self.seconds()
            calm = calm + 1 if ran - before <= self.idle + SLACK else 0
            if calm == CALM:
                return ran
        raise Restless("the cloud does not come to rest")

    def _members(self) -> list[int]:
        """Return the processes of the sessions."""
        pids = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdecimal():
                continue
            with contextlib.suppress(OSError, ValueError, IndexError):
                text = (folder / "stat").read_text(errors="replace")
                # State, parent, group and session behind the name.
                fields = text.rpartition(")")[2].split()
                if int(fields[3]) in self._sessions:
                    pids.append(int(folder.name))
        return pids
