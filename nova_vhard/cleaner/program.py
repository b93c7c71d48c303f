# SPDX-License-Identifier: Apache-2.0
"""An operator's own program: whether it may be run, and running it."""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nova_vhard.cleaner import lock
from nova_vhard.common import trusted
from nova_vhard.host.processes import processes

#: Bytes at the end of what it prints that are kept.
KEPT = 16 << 10

# Seconds that what a program leaves behind has to end by itself.
_PATIENCE = 1.0


class Refused(Exception):
    """A program must not be run, or cannot be."""


@dataclass(frozen=True)
class Ending:
    """Result of a program.

    :ivar status: its exit status; None if it was killed
    :ivar outcome: how it ended, in words
    :ivar output: the end of its output
    """

    status: int | None
    outcome: str
    output: bytes


def path_schema(name: str) -> dict[str, str]:
    """Return the schema of a setting that names a program.

    :param name: of the program, for who writes something else
    """
    return {
        "type": "string",
        "pattern": "^/[^\0]*[^/\0]$",
        "title": f"an absolute path of {name}",
    }


def check(path: str) -> str:
    """Return the real path of a program that nobody but root can change.

    :raises Refused: with the place that somebody else can change
    """
    try:
        place = trusted.check(path)
    except trusted.Untrusted as error:
        raise Refused(str(error)) from error
    if not os.access(place, os.X_OK):
        raise Refused(f"{place} is not a program")
    return place


def run(
    words: Sequence[str],
    environment: Mapping[str, str],
    limit: float,
    kept: int = KEPT,
) -> Ending:
    """Run a program, without a shell, with nothing but this environment.

    It stays in the process group of the step that runs it, so that it ends
    with that, however that ends.

    :param words: its path and its arguments
    :param limit: seconds after which it is killed
    :param kept: bytes at the end of what it prints that are kept
    :raises Refused: if it cannot be started
    """
    before = frozenset(processes.descendants(os.getpid()))
    try:
        process = subprocess.Popen(  # noqa: S603 - see check()
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd="/",
            # Whatever it starts holds the device's lock as long as it runs.
            pass_fds=lock.descriptors(),
            umask=0o077,
            # The process that starts it has one thread.
            preexec_fn=processes.die_with_parent,  # noqa: PLW1509
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise Refused(f"{words[0]}: {error}") from error
    with process, contextlib.closing(_Output(process, kept)) as output:
        ended = output.wait(limit)
        if not ended:
            # A stopped process starts no more while its children are killed.
            process.send_signal(signal.SIGSTOP)
            processes.kill_below(process.pid)
            process.kill()
        status = process.wait()
        output.drain()
        if ended and status >= 0 and (left := _left(before)):
            return Ending(
                None,
                f"it left {left} processes running, which were killed",
                output.end,
            )
        if not ended:
            return Ending(
                None,
                f"it did not end within {limit:g} seconds, and was killed",
                output.end,
            )
        text = f"exit status {status}"
        if status < 0:
            text = f"it was killed by {signal.Signals(-status).name}"
        return Ending(status, text, output.end)


def _left(before: frozenset[int]) -> int:
    """Return how many processes a program has left behind.

    :param before: those that were there when it began
    """
    deadline = time.monotonic() + _PATIENCE
    while left := set(processes.descendants(os.getpid())) - before:
        if time.monotonic() >= deadline:
            break
        time.sleep(0.02)
    return len(left)


class _Output:
    """The end of what a process prints."""

    def __init__(self, process: "subprocess.Popen[bytes]", kept: int) -> None:
        self._kept = kept
        if process.stdout is None:
            raise ValueError("the process has no pipe")
        self.end = b""
        self._pipe = process.stdout.fileno()
        os.set_blocking(self._pipe, False)
        self._ended = os.pidfd_open(process.pid)

    def wait(self, limit: float) -> bool:
        """Read until the process has ended; tell whether it has, in time."""
        deadline = time.monotonic() + limit
        waiting = select.poll()
        waiting.register(self._ended, select.POLLIN)
        waiting.register(self._pipe, select.POLLIN)
        while (left := deadline - time.monotonic()) > 0:
            ready = {number for number, _ in waiting.poll(left * 1000)}
            if self._ended in ready:
                return True
            if self._pipe in ready and not self._read():
                waiting.unregister(self._pipe)
        return False

    def drain(self) -> None:
        """Read the rest, with a limit in case others keep printing."""
        for _ in range(self._kept >> 10):
            if not self._read():
                return

    def _read(self) -> bool:
        """Read a part; tell whether there can be more."""
        try:
            part = os.read(self._pipe, 1 << 16)
        except BlockingIOError:
            return False
        self.end = (self.end + part)[-self._kept :]
        return bool(part)

    def close(self) -> None:
        """Close what it has opened itself."""
        os.close(self._ended)
