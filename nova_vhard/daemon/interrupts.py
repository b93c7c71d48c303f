# SPDX-License-Identifier: Apache-2.0
"""Signals that reach the main loop wherever it waits.

A wait for a check, for Placement or for the next round is broken off by an
exception from the signal's handler. It is raised only where the loop has said
that it may be: never between two steps that belong together.
"""

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

_STOPS = (signal.SIGTERM, signal.SIGINT)

# Seconds between two tries to break a wait off: an exception in a callback
# of the interpreter's own is lost.
_AGAIN = 0.2
# Seconds after which a stop does not wait any longer for a call that no
# exception reaches, such as one for an address in DNS.
_LAST_RESORT = 0.8

# SIGHUP, if it came before ``installed``.
_EARLY: set[int] = set()


def note_hangup() -> None:
    """Note a SIGHUP for ``installed``; by default it ends the process.

    The first line of each daemon's ``main``. The exporter does not reload
    anything and keeps running.
    """
    signal.signal(signal.SIGHUP, lambda number, _: _EARLY.add(number))


class Interrupted(BaseException):
    """The loop is asked to stop, or to reload."""


class TimeLimit(BaseException):
    """Raised if an operation exceeds its time limit."""


class Interrupts:
    """Signals that have arrived, and the code that they may interrupt.

    :ivar stopping: whether SIGTERM or SIGINT has come
    :ivar reloading: whether SIGHUP has come
    """

    def __init__(self) -> None:
        self.stopping = False
        self.reloading = False
        self._installed = False
        self._armed: frozenset[int] = frozenset()

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signals; in the main thread only, elsewhere nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (*_STOPS, signal.SIGHUP, signal.SIGALRM)
        before = {item: signal.signal(item, self._on) for item in numbers}
        self._installed = True
        self.reloading = self.reloading or signal.SIGHUP in _EARLY
        _EARLY.clear()
        try:
            yield
        finally:
            self._installed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def breakable(
        self, reload: bool = False, limit: float | None = None
    ) -> Iterator[None]:
        """Let what is done inside be broken off.

        :param reload: whether SIGHUP breaks it off too
        :param limit: seconds that it may take
        :raises Interrupted: if a signal came, or had come before
        :raises TimeLimit: if it took too long
        """
        if not self._installed:
            yield
            return
        armed: set[int] = {*_STOPS}
        armed |= {signal.SIGHUP} if reload else set()
        armed |= {signal.SIGALRM} if limit else set()
        try:
            self._armed = frozenset(armed)
            if self.stopping or (reload and self.reloading):
                raise Interrupted
            if limit:
                signal.setitimer(signal.ITIMER_REAL, limit, _AGAIN)
            yield
        finally:
            self._armed = frozenset()
            if limit and not self.stopping:
                signal.setitimer(signal.ITIMER_REAL, 0)

    def _on(self, number: int, frame: FrameType | None) -> None:
        if number in _STOPS:
            self.stopping = True
            signal.setitimer(signal.ITIMER_REAL, _AGAIN, _AGAIN)
        elif number == signal.SIGHUP:
            self.reloading = True
        elif self.stopping and self._armed:
            raise Interrupted
        elif number not in self._armed:
            # A limit that is over and was not switched off in time.
            signal.setitimer(signal.ITIMER_REAL, 0)
            return
        if number in self._armed:
            raise TimeLimit if number == signal.SIGALRM else Interrupted


@contextlib.contextmanager
def last_resort() -> Iterator[None]:
    """End the process if a stop signal does not end the code inside.

    Python runs a signal's handler between two of its own instructions, so not
    during a call into a C library; a second thread that waits for the signal
    runs all the same. Do not start a process inside.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    guard = threading.Thread(target=_guard, args=(read,), daemon=True)
    guard.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.write(write, b"\0")
        guard.join()
        os.close(read)
        os.close(write)


def _guard(read: int) -> None:
    """Wait for the numbers of signals; end at 0."""
    deadline: float | None = None
    while True:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            os._exit(0)
        ready, _, _ = select.select([read], [], [], left)
        number = os.read(read, 1)[0] if ready else None
        if number == 0:
            return
        if number in _STOPS and deadline is None:
            deadline = time.monotonic() + _LAST_RESORT
