# SPDX-License-Identifier: Apache-2.0
"""Where a cloud keeps its files, in one directory; what it says there."""

import fcntl
import json
import pathlib
import shutil
import time

_DECISIONS = " nova_vhard.decisions "


class InUse(Exception):
    """Another process uses the place."""


class Place:
    """The directories of a cloud; the root may be emptied."""

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.logs = self.root / "logs"
        self.policy = self.root / "policy.yaml"
        self._lock = None

    def home(self, service):
        return self.root / service

    def take(self):
        """Make the place this process's own, and empty it.

        :raises InUse: if it is another's, for as long as that one lives
        """
        self.root.mkdir(exist_ok=True)
        self._lock = open(self.root / "lock", "w")  # noqa: SIM115
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(
                f"another process uses {self.root}: wait until it has ended"
            ) from None
        for path in self.root.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != "lock":
                path.unlink()
        self.logs.mkdir()
        (self.root / "home").mkdir()


class Events:
    """The decision events of the gates, as an operator finds them."""

    def __init__(self, place):
        self._place = place
        self._read = {}

    def new(self):
        """Return the new decision events, as dicts, oldest first a log."""
        events = []
        for log in sorted(self._place.logs.glob("*.log")):
            with open(log, encoding="utf-8", errors="replace") as lines:
                lines.seek(self._read.get(log, 0))
                text = lines.read()
                self._read[log] = lines.tell()
            events += [
                json.loads(line[line.index("{") :])
                for line in text.splitlines()
                if _DECISIONS in line and "{" in line
            ]
        return events


def progress():
    """Return a function that prints what is done, and the time it takes."""
    begun = time.monotonic()

    def say(what):
        print(f"  {time.monotonic() - begun:5.1f} s  {what}", flush=True)

    return say
