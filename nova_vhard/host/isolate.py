# SPDX-License-Identifier: Apache-2.0
"""Run checks in a child process, so that none takes the others down.

A child answers one check after the other. When it hangs or dies, the check
that it was at is UNKNOWN with the reason, and a new child goes on with the
next. A child that cannot even be killed (it waits for a dead disk, say) is
left behind: its check is not asked again while it lives.
"""

import json
import logging
import os
import select
import signal
import time
from collections.abc import Callable, Sequence

from nova_vhard.host import child
from nova_vhard.host.check import Check, Result, Status
from nova_vhard.host.child import Timed
from nova_vhard.host.host import Host

LOG = logging.getLogger(__name__)

#: Default seconds that one check may take.
TIMEOUT = 60.0

#: Longest answer that is taken, in bytes.
LIMIT = 1 << 20

# Seconds between two signs of life while a check is waited for.
_BEAT = 0.25
# Seconds that a killed child has to go.
_PATIENCE = 0.5


class _Ended(Exception):
    """A child gave no answer.

    :ivar seconds: that it was waited for
    :ivar crashed: whether it died, rather than took too long
    """

    def __init__(self, reason: str, begun: float, crashed: bool) -> None:
        self.seconds = round(time.monotonic() - begun, 6)
        self.crashed = crashed
        super().__init__(reason)


def in_process(host: Host, checks: Sequence[Check]) -> tuple[Timed, ...]:
    """Run checks without any isolation: for trees that are known."""
    return tuple(child.timed(check, host) for check in checks)


class Isolation:
    """Runs checks, and remembers the children that cannot be ended.

    :ivar timeout: seconds that one check may take
    :param alive: called several times a second while a check is waited for
    """

    def __init__(
        self, timeout: float = TIMEOUT, alive: Callable[[], None] | None = None
    ) -> None:
        """Start nothing yet."""
        self.timeout = timeout
        self._alive = alive or (lambda: None)
        self._stuck: dict[str, int] = {}

    @property
    def stuck(self) -> dict[str, int]:
        """Checks whose children cannot be ended, with the children's pids."""
        self._stuck = {
            name: pid for name, pid in self._stuck.items() if not _gone(pid)
        }
        return dict(self._stuck)

    def run(self, host: Host, checks: Sequence[Check]) -> tuple[Timed, ...]:
        """Run checks on a host.

        :returns: a Result and the seconds that it took for each check, in
            their order
        """
        found: dict[int, Timed] = {}
        stuck = self.stuck
        for number, check in enumerate(checks):
            if pid := stuck.get(check.name):
                text = f"not asked: process {pid} of an earlier time hangs"
                found[number] = check.unknown(text), 0.0
        todo: Sequence[int] = [
            one for one in range(len(checks)) if one not in found
        ]
        while todo:
            todo = self._ask(host, checks, todo, found)
        return tuple(found[number] for number in range(len(checks)))

    def _ask(
        self,
        host: Host,
        checks: Sequence[Check],
        todo: Sequence[int],
        found: dict[int, Timed],
    ) -> Sequence[int]:
        """Let one child answer as many checks as it can.

        :param todo: places in ``checks``
        :returns: those that are left
        """
        try:
            running = _Child(host, [checks[one] for one in todo], self)
        except OSError as error:
            text = f"no process can be started for it: {error}"
            for number in todo:
                found[number] = checks[number].unknown(text), 0.0
            return ()
        left = list(todo)
        asked = checks[left[0]]
        try:
            while left:
                asked = checks[left[0]]
                found[left[0]] = running.answer()
                del left[0]
        except _Ended as error:
            # A crash may be an earlier check's doing: asked again, as the
            # first of another child.
            if not error.crashed or len(left) == len(todo):
                LOG.warning("Check %s: %s", asked.name, error)
                found[left[0]] = asked.unknown(str(error)), error.seconds
                del left[0]
        finally:
            if not running.end():
                LOG.error(
                    "Check %s: process %d hangs", asked.name, running.pid
                )
                self._stuck[asked.name] = running.pid
        return left

    def alive(self) -> None:
        """Say that somebody waits for a check and is well."""
        self._alive()


class _Child:
    """A process that answers checks, seen from its parent.

    :raises OSError: if there can be none
    """

    def __init__(
        self, host: Host, checks: Sequence[Check], owner: Isolation
    ) -> None:
        self._owner = owner
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
                    child.serve(host, checks, write, owner.timeout, mask)
            except OSError:
                os.close(self._read)
                raise
            finally:
                os.close(write)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def answer(self) -> Timed:
        """Wait for the next answer.

        :raises _Ended: without one
        """
        begun = time.monotonic()
        deadline = begun + self._owner.timeout
        waiting = select.poll()
        waiting.register(self._read, select.POLLIN)
        while b"\n" not in self._text:
            left = deadline - time.monotonic()
            if left <= 0:
                limit = f"{self._owner.timeout:g} seconds"
                raise _Ended(f"no answer within {limit}", begun, False)
            self._owner.alive()
            if not waiting.poll(min(left, _BEAT) * 1000):
                continue
            part = os.read(self._read, 1 << 16)
            self._text += part
            if not part:
                text = f"the check crashed: {self._fate()}"
                raise _Ended(text, begun, True)
            if len(self._text) > LIMIT:
                text = f"its answer is longer than {LIMIT} bytes"
                raise _Ended(text, begun, False)
        line, _, self._text = self._text.partition(b"\n")
        return _parse(line)

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
        _kill(self.pid)
        os.close(self._read)
        return _wait(self.pid)


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


def _gone(pid: int) -> bool:
    try:
        done, _ = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return True
    return bool(done)


def _parse(line: bytes) -> Timed:
    fields = json.loads(line)
    seconds = fields.pop("seconds")
    fields["status"] = Status(fields["status"])
    fields["evidence"] = tuple(fields["evidence"])
    return Result(**fields), seconds
