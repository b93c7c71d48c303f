# SPDX-License-Identifier: Apache-2.0
"""Run a step in a process of its own, and end it when its time is over.

Ended is all that it has started, also what has left its process group or
was left by its parent. A process that the kernel does not let go (it waits
for the device, say) is left behind, and no step is run on that device until
it is gone.
"""

import json
import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any, NoReturn

from nova_vhard.common.log import get_logger
from nova_vhard.host import child
from nova_vhard.host.forked import Ended, Forked, gone
from nova_vhard.host.root import HostRoot, Unreadable, unreadable
from nova_vhard.node.cleaner import good, processes
from nova_vhard.node.cleaner.step import (
    TIME_LIMIT,
    Job,
    Outcome,
    Step,
)

LOG = get_logger(__name__)

# Seconds that a step has to end by itself, and to tell, after its limit.
_GRACE = 2.0

_Work = Callable[[], dict[str, Any]]


class _NoAnswer(Exception):
    """A process gave no answer, or left something behind."""


class Isolation:
    """Runs steps, and remembers the processes that cannot be ended.

    :param alive: called several times a second while a step is waited for
    """

    def __init__(self, alive: Callable[[], None] | None = None) -> None:
        """Start nothing yet."""
        self._alive = alive or (lambda: None)
        self._stuck: dict[str, int] = {}

    @property
    def stuck(self) -> dict[str, int]:
        """Addresses of devices whose processes cannot be ended: pids."""
        self._stuck = {
            name: pid for name, pid in self._stuck.items() if not _over(pid)
        }
        return dict(self._stuck)

    def run(self, step: Step, job: Job) -> Outcome:
        """Run a step.

        :returns: its outcome; not clean if it gave none within its limit
        """

        def work() -> dict[str, Any]:
            return asdict(_outcome(step, job))

        try:
            found = self._ask(work, job.device.address, job.time_limit)
            return Outcome(
                bool(found["clean"]), found["said"], tuple(found["evidence"])
            )
        except _NoAnswer as error:
            LOG.error(
                "Step %s on %s: %s", step.name, job.device.address, error
            )
            return Outcome(False, str(error))

    def record(
        self,
        root: HostRoot,
        address: str,
        when: str,
        by: str,
        time_limit: float = TIME_LIMIT,
    ) -> good.GoodState:
        """Read a device's good state, as good.record() does.

        :raises Unreadable: if it cannot be read, or not in time
        """

        def work() -> dict[str, Any]:
            try:
                return good.record(root, address, when, by).as_json()
            except Unreadable as error:
                return {"unreadable": str(error)}

        try:
            found = self._ask(work, address, time_limit)
        except _NoAnswer as error:
            raise unreadable(address, str(error)) from error
        if "unreadable" in found:
            raise unreadable(address, found["unreadable"])
        return good.parse(found)

    def _ask(self, work: _Work, address: str, limit: float) -> dict[str, Any]:
        """Return the answer of a process.

        :raises _NoAnswer: without one
        """
        if pid := self.stuck.get(address):
            raise _NoAnswer(f"not run: process {pid} of an earlier time hangs")
        try:
            running = _Running(work, limit, self._alive)
        except OSError as error:
            text = f"no process can be started for it: {error}"
            raise _NoAnswer(text) from error
        answer: dict[str, Any] = {}
        failed = None
        try:
            answer = json.loads(running.line())
            running.left = answer.pop("left")
        except Ended as error:
            failed = str(error)
            if not error.crashed and error.seconds >= limit:
                failed = f"did not end within {limit:g} seconds, and was ended"
        finally:
            if not running.end():
                running.left.append(running.pid)
            if running.left:
                self._stuck[address] = running.left[0]
        if running.left:
            hangs = f"process {running.left[0]} hangs and cannot be ended"
            raise _NoAnswer(f"{failed}; {hangs}" if failed else hangs)
        if failed:
            raise _NoAnswer(failed)
        return answer


class _Running(Forked):
    """The process of a step.

    :ivar left: what is below it and does not let itself be killed
    """

    def __init__(
        self, work: _Work, limit: float, alive: Callable[[], None]
    ) -> None:
        self.left: list[int] = []
        parent = os.getpid()

        def serve(pipe: int, mask: Iterable[int]) -> NoReturn:
            _serve(work, pipe, limit, mask, parent)

        super().__init__(serve, "step", limit + _GRACE, alive)

    def kill(self) -> None:
        """Kill what is below it first, so that nothing gets away."""
        if not _ended(self.pid):
            os.kill(self.pid, signal.SIGSTOP)
            self.left += processes.kill_below(self.pid)
        super().kill()


def _ended(pid: int) -> bool:
    """Tell whether a child has ended; it can still be waited for."""
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, pid, flags) is not None


def _over(pid: int) -> bool:
    """Tell whether a process has ended, a child or a child's child."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return gone(pid) if _is_child(pid) else False


def _is_child(pid: int) -> bool:
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _outcome(step: Step, job: Job) -> Outcome:
    """Run a step; whatever happens is an outcome."""
    try:
        return step.run(job)
    except Unreadable as error:
        return Outcome(False, str(error))
    except BaseException as error:  # noqa: BLE001 - sys.exit() in a plugin
        text = f"the step failed: {type(error).__name__}: {error}"
        return Outcome(False, text)


def _serve(
    work: _Work, pipe: int, limit: float, mask: Iterable[int], parent: int
) -> NoReturn:
    """Be the child: work, answer in one line of JSON, and end."""
    status = 1
    try:
        child.prepare()
        processes.adopt()
        processes.die_with_parent()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.setitimer(signal.ITIMER_REAL, limit + _GRACE + child.GRACE)
        if os.getppid() != parent:
            raise SystemExit
        answer = work()
        # It answers last: nothing that it has started runs on then.
        answer["left"] = processes.kill_below(os.getpid())
        child.write(pipe, f"{json.dumps(answer)}\n".encode())
        status = 0
    finally:
        # Nothing of the parent's is to be flushed or closed here.
        os._exit(status)
