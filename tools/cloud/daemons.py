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

import psutil

from cloud import commands

#: Set in the environment of all processes of a cloud, to its directory.
MARK = "NOVA_VHARD_CLOUD"
#: Set where they are to end with who has started them.
ATTACHED = "NOVA_VHARD_ATTACHED"
_PR_SET_PDEATHSIG = 1
_ENDED = (psutil.STATUS_ZOMBIE, psutil.STATUS_SLEEPING)


class Failed(Exception):
    """A process did not start, or ended too early."""


@dataclass(frozen=True)
class Daemon:
    """A command to run; its environment is added to the caller's."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


class Daemons:
    """The processes of one cloud.

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
        (self._files / daemon.name).write_text(f"{child.pid} {begun}\n")

    def names(self):
        return sorted(file.name for file in self._files.glob("*"))

    def alive(self, name):
        return self.id(name) is not None

    def id(self, name):
        """Return the id of a process; None when it has ended."""
        try:
            pid, begun = (self._files / name).read_text().split()
        except (OSError, ValueError):
            return None
        # Another process may have the id by now.
        return int(pid) if _begun(pid) == begun else None

    def ids(self):
        return {name: self.id(name) for name in self.names()}

    def result(self, name):
        """Return the exit status of a process started here; None: it runs."""
        child = self._children.get(name)
        return child.poll() if child else None

    def send(self, name, number):
        """Send a signal to the group of a process, if there is one."""
        _signal(os.killpg, self.id(name), number)

    def stop(self, *names, how=signal.SIGTERM, seconds=15):
        """Stop processes together; force those that take too long."""
        groups = [self.id(name) for name in names]
        for group in groups:
            _signal(os.killpg, group, how)
        deadline = time.monotonic() + seconds
        for group in filter(None, groups):
            while self._members(group):
                if time.monotonic() > deadline:
                    _signal(os.killpg, group, signal.SIGKILL)
                time.sleep(0.05)
        for name in names:
            (self._files / name).unlink(missing_ok=True)

    def leftover(self):
        """Return the ids of all processes of this cloud, by their mark."""
        self._reap()
        return [
            process.pid
            for process in psutil.process_iter(["environ"])
            if (process.info["environ"] or {}).get(MARK) == self._more[MARK]
        ]

    def end_leftover(self, seconds=10):
        """End the remaining processes, in any process group.

        :returns: the ids of those that still run
        """
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + seconds
            while (left := self.leftover()) and time.monotonic() < deadline:
                for pid in left:
                    _signal(os.kill, pid, number)
                time.sleep(0.1)
        return self.leftover()

    def _members(self, group):
        """Return the processes of a group, without those that have ended.

        These are zombies, and the first process of a namespace, without
        memory, which sleeps until somebody else has reaped all that were in
        it. What does not sleep may still listen, as may another thread.
        """
        self._reap()
        members = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                ended = (
                    process.status() in _ENDED
                    and not process.memory_info().vms
                )
                if os.getpgid(process.pid) == group and (
                    not ended or process.num_threads() > 1
                ):
                    members.append(process)
        return members

    def _reap(self):
        for child in self._children.values():
            child.poll()


def _signal(kill, process, number):
    """Send a signal to a process or group, if there is one."""
    if process:
        with contextlib.suppress(ProcessLookupError):
            kill(process, number)


def end_with_parent():
    """End this process with its parent, by prctl, if that is wanted."""
    if os.environ.get(ATTACHED):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _begun(pid):
    """Return when a process began, see proc(5); None when it has ended."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()
    return None if state == "Z" else fields[18]
