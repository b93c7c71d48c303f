# SPDX-License-Identifier: Apache-2.0
"""A child process that answers, and that is ended when it does not."""

import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from typing import NoReturn

#: Longest answer that is taken, in bytes.
LIMIT = 1 << 20

Work = Callable[[int, Iterable[int]], NoReturn]

# Seconds between two signs of life while a child is waited for.
_BEAT = 0.25
# Seconds that a killed child has to go.
_PATIENCE = 0.5


class Ended(Exception):
    """A child gave no answer.

    :ivar seconds: that it was waited for
    :ivar crashed: whether it died, rather than took too long
    """

    def __init__(self, reason: str, begun: float, crashed: bool) -> None:
        """Say why, in the words of whoever waited."""
        self.seconds = round(time.monotonic() - begun, 6)
        self.crashed = crashed
        super().__init__(reason)


class Forked:
    """A process that answers, one line after the other.

    :param work: what it does, with the descriptor that its answers go to
        and the signals to block from when it is ready for them; never
        returns
    :param what: one thing that it does, in a word: ``check``
    :param timeout: seconds that one answer may take
    :param alive: called several times a second while one is waited for
    :raises OSError: if there can be none
    """

    def __init__(
        self, work: Work, what: str, timeout: float, alive: Callable[[], None]
    ) -> None:
        """Start it."""
        self._what = what
        self._timeout = timeout
        self._alive = alive
        self._text = b""
        # No signal between a child and the knowledge of its pid; and none
        # for the child before it has handlers of its own.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._read, write = os.pipe()
            try:
                self.pid = os.fork()
                if not self.pid:
                    os.close(self._read)
                    work(write, mask)
            except OSError:
                os.close(self._read)
                raise
            finally:
                os.close(write)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def line(self) -> bytes:
        """Wait for the next answer, and return it.

        :raises Ended: without one
        """
        begun = time.monotonic()
        deadline = begun + self._timeout
        waiting = select.poll()
        waiting.register(self._read, select.POLLIN)
        while b"\n" not in self._text:
            left = deadline - time.monotonic()
            if left <= 0:
                limit = f"{self._timeout:g} seconds"
                raise Ended(f"no answer within {limit}", begun, False)
            self._alive()
            if not waiting.poll(min(left, _BEAT) * 1000):
                continue
            part = os.read(self._read, 1 << 16)
            self._text += part
            if not part:
                text = f"the {self._what} crashed: {self._fate()}"
                raise Ended(text, begun, True)
            if len(self._text) > LIMIT:
                text = f"its answer is longer than {LIMIT} bytes"
                raise Ended(text, begun, False)
        line, _, self._text = self._text.partition(b"\n")
        return line

    def _fate(self) -> str:
        """Say how the child ended."""
        if not _wait(self.pid, reap=False):
            return "it is silent"
        info = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        if info is None or info.si_code == os.CLD_EXITED:
            return f"exit status {info.si_status if info else '?'}"
        name = signal.Signals(info.si_status).name
        memory = " (out of memory?)" if name == "SIGKILL" else ""
        return f"killed by {name}{memory}"

    def end(self) -> bool:
        """End it with all that it has started; tell whether it is gone."""
        self.kill()
        os.close(self._read)
        return _wait(self.pid)

    def kill(self) -> None:
        """Kill it with its process group."""
        _kill(self.pid)


def _kill(pid: int) -> None:
    """Kill the process group of a child that was not waited for yet."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        # It has not made its group yet.
        os.kill(pid, signal.SIGKILL)


def _wait(pid: int, reap: bool = True) -> bool:
    """Wait a little for the end of a child; tell whether it has ended."""
    flags = os.WEXITED | os.WNOHANG | (0 if reap else os.WNOWAIT)
    deadline = time.monotonic() + _PATIENCE
    pause = 0.0005
    while True:
        try:
            if os.waitid(os.P_PID, pid, flags) is not None:
                return True
        except ChildProcessError:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 2, 0.02)


def gone(pid: int) -> bool:
    """Tell whether a child has ended; it is waited for then."""
    try:
        done, _ = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return True
    return bool(done)
