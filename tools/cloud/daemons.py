# SPDX-License-Identifier: Apache-2.0
"""Start, watch and stop processes, which may outlive who starts them.

Each is the leader of a process group of its own and has a file with its
process id. It is stopped by that id, never by a name.
"""

import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
import time
from dataclasses import dataclass, field

from cloud import commands

#: Set in the environment of all processes of a cloud, to its directory.
MARK = "NOVA_VHARD_CLOUD"
#: Set where they are to end with who has started them.
ATTACHED = "NOVA_VHARD_ATTACHED"
_PR_SET_PDEATHSIG = 1
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

    :param place: cloud.place.Place
    :param attached: whether those that run our modules end with this process
    """

    def __init__(self, place, attached=False):
        self._place = place
        self._more = {MARK: str(place.root)}
        if attached:
            self._more[ATTACHED] = "1"
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
                    **self._more,
                },
            )
        self._children[daemon.name] = child
        begun = _begun(child.pid)
        self._file(daemon.name).write_text(f"{child.pid} {begun}\n")

    def names(self):
        """Return the names of what was started and not stopped."""
        return sorted(file.name for file in self._files.glob("*"))

    def alive(self, name):
        """Return whether a process runs."""
        return self.id(name) is not None

    def id(self, name):
        """Return the id of a process; None when it has ended."""
        try:
            pid, begun = self._file(name).read_text().split()
        except (OSError, ValueError):
            return None
        # Another process may have the id by now.
        return int(pid) if _begun(pid) == begun else None

    def ids(self):
        """Return the id of each process, by its name."""
        return {name: self.id(name) for name in self.names()}

    def result(self, name):
        """Return the exit status of a process started here; None: it runs."""
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
        """Return the ids of all processes of this cloud, by their mark."""
        self._reap()
        mark = f"{MARK}={self._place.root}".encode()
        pids = []
        for process in _PROC.glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    pids.append(int(process.name))
        return pids

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
        """Return the processes of a group, without those that have ended."""
        self._reap()
        return [
            process.name
            for process in _PROC.glob("[0-9]*")
            if (fields := _stat(process.name))
            and fields[2] == str(group)
            and (fields[0] != "Z" or _threads(process.name) > 1)
        ]

    def _reap(self):
        for child in self._children.values():
            child.poll()

    def _file(self, name):
        return self._files / name


def end_with_parent():
    """Have the kernel end this process with its parent, where that is wanted.

    However the parent ends: nothing of it is left then.
    """
    if os.environ.get(ATTACHED):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _stat(pid):
    """Return the fields of /proc/PID/stat from the state on; see proc(5)."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def _threads(pid):
    """Return the number of threads that a process has.

    The first may have ended before others that still listen on a port.
    """
    try:
        return len(os.listdir(_PROC / str(pid) / "task"))
    except OSError:
        return 0


def _begun(pid):
    """Return when a process began; None when it has ended."""
    fields = _stat(pid)
    return fields[19] if fields and fields[0] != "Z" else None
