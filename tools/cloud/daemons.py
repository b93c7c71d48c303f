# SPDX-License-Identifier: Apache-2.0
"""Start, watch and stop processes that outlive the command that starts them.

Each is the leader of a process group of its own and has a file with its
process id. It is stopped by that id, never by a name.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import time
from dataclasses import dataclass, field

from common import commands

#: Set in the environment of all processes of a cloud, to its directory.
MARK = "NOVA_VHARD_CLOUD"
_PROC = pathlib.Path("/proc")


class Failed(Exception):
    """A process did not start, or ended too early."""


@dataclass(frozen=True)
class Daemon:
    """What to run.

    :ivar environment: in addition to the caller's
    """

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


class Daemons:
    """The processes of one cloud.

    :param place: common.place.Place
    """

    def __init__(self, place):
        self._place = place
        self._files = place.home("run")
        # Those that this process has started itself, to be reaped by it.
        self._children = {}

    def start(self, daemon):
        """Start a process; its output goes to the end of its log."""
        self._files.mkdir(exist_ok=True)
        log = self._place.logs / f"{daemon.name}-output.log"
        with open(log, "ab") as out:
            child = subprocess.Popen(
                daemon.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self._place.root,
                env={
                    **commands.environment(),
                    **daemon.environment,
                    MARK: str(self._place.root),
                },
            )
        self._children[daemon.name] = child
        begun = _begun(child.pid)
        self._file(daemon.name).write_text(f"{child.pid} {begun}\n")

    def names(self):
        """Give the names of what was started and not stopped."""
        return sorted(one.name for one in self._files.glob("*"))

    def alive(self, name):
        """Tell whether a process runs."""
        return self.id(name) is not None

    def id(self, name):
        """Give the id of a process; None when it has ended."""
        try:
            pid, begun = self._file(name).read_text().split()
        except (OSError, ValueError):
            return None
        # Another process may have the id by now.
        return int(pid) if _begun(pid) == begun else None

    def result(self, name):
        """Give the exit status of a process of this object; None: it runs."""
        return self._children[name].poll()

    def send(self, name, number):
        """Send a signal to the group of a process.

        :returns: whether there was one
        """
        group = self.id(name)
        with contextlib.suppress(ProcessLookupError):
            if group:
                os.killpg(group, number)
                return True
        return False

    def stop(self, *names, how=signal.SIGTERM, seconds=15):
        """Stop processes together; force those that take too long."""
        groups = {name: self.id(name) for name in names}
        for name in names:
            self.send(name, how)
        deadline = time.monotonic() + seconds
        for group in filter(None, groups.values()):
            while self._members(group):
                if time.monotonic() > deadline:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(group, signal.SIGKILL)
                time.sleep(0.05)
        for name in names:
            self._file(name).unlink(missing_ok=True)

    def leftover(self):
        """Give the ids of all processes that this cloud has, by their mark."""
        self._reap()
        mark = f"{MARK}={self._place.root}".encode()
        found = []
        for one in _PROC.glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (one / "environ").read_bytes().split(b"\0"):
                    found.append(int(one.name))
        return found

    def end_leftover(self, seconds=10):
        """End what is left, whatever group it has fled to.

        :returns: the ids of those that are there all the same
        """
        deadline = time.monotonic() + seconds
        number = signal.SIGTERM
        while left := self.leftover():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            if time.monotonic() > deadline:
                if number == signal.SIGKILL:
                    break
                number = signal.SIGKILL
                deadline += seconds
            time.sleep(0.1)
        return left

    def _members(self, group):
        """Give the processes of a group, without those that have ended."""
        self._reap()
        return [
            one.name
            for one in _PROC.glob("[0-9]*")
            if (fields := _stat(one.name))
            and fields[2] == str(group)
            and (fields[0] != "Z" or _threads(one.name) > 1)
        ]

    def _reap(self):
        for child in self._children.values():
            child.poll()

    def _file(self, name):
        return self._files / name


def _stat(pid):
    """Give the fields of /proc/PID/stat from the state on; see proc(5)."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def _threads(pid):
    """Give the number of threads that a process has.

    The first may have ended before others that still listen on a port.
    """
    try:
        return len(os.listdir(_PROC / str(pid) / "task"))
    except OSError:
        return 0


def _begun(pid):
    """Give when a process began; None when it has ended."""
    fields = _stat(pid)
    return fields[19] if fields and fields[0] != "Z" else None
