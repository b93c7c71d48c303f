# SPDX-License-Identifier: Apache-2.0
"""A child process that answers, and that is ended when it does not.

Checks and cleaning steps run in one. It ends with the process that started
it, leaves no core, is the first to go where memory is short, and takes along
all that it has started, also what has left its process group or was left by
its parent.
"""

import contextlib
import functools
import gc
import json
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

from nova_vhard.host.processes import processes

#: Longest answer that is taken, in bytes.
#: A plugin's check may print without end: this bounds what the reporter keeps.
LIMIT = 1 << 20

#: Seconds after an answer's limit at which a child ends by itself: its
#: parent cannot do it.
GRACE = 10.0

# Seconds between two signs of life while a child is waited for.
# `alive` feeds systemd's watchdog (WATCHDOG=1 of sd_notify(3)): a slow check
# must not look like a daemon that hangs.
_BEAT = 0.25
# Seconds that a killed child has to go; on a busy host that is not at once.
_PATIENCE = 5.0

# The handlers of a daemon set a flag that its main loop reads. A child has no
# such loop: it would survive these signals.
_DEFAULTS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM)


class Ended(Exception):
    """Raised when a child gave no answer.

    :ivar seconds: that it was waited for
    :ivar crashed: whether it died, rather than took too long
    """

    def __init__(self, reason: str, begun: float, crashed: bool) -> None:
        self.seconds = round(time.monotonic() - begun, 6)
        self.crashed = crashed
        super().__init__(reason)


class Forked:
    """A child process that returns one answer after the other.

    :param answers: called in the child; each answer must be JSON serializable
    :param what: one task of the child, in a word: ``check``
    :param timeout: seconds that one answer may take
    :param alive: called several times a second while waiting for an answer
    :param supervised: whether to run the child below a supervisor process. The
        supervisor notices the end of the process that started it, however the
        child handles signals, and kills all that the child started
    :ivar left: processes below the child that the kernel cannot end
    :raises OSError: if the child cannot be started
    """

    def __init__(
        self,
        answers: Callable[[], Iterator[Any]],
        what: str,
        timeout: float,
        alive: Callable[[], None],
        *,
        supervised: bool = False,
    ) -> None:
        self._what = what
        self._timeout = timeout
        self._alive = alive
        self._text = b""
        # True between a question and its answer: only then the child may have
        # processes below it.
        self._owes = False
        self.left: list[int] = []
        parent = os.getpid()
        # No signal between a child and the knowledge of its pid; and none
        # for the child before it has handlers of its own.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            # Both ends close on exec (PEP 446): a program that a check starts
            # holds none of them.
            self._read, write = os.pipe()
            try:
                self.pid = os.fork()
                if not self.pid:
                    os.close(self._read)
                    # Longer than the parent's limit: the parent ends the child
                    # first, and knows why.
                    limit = timeout + GRACE
                    work = functools.partial(_serve, answers, write, limit)
                    if supervised:
                        work = functools.partial(
                            _supervise, work, write, limit, mask
                        )
                    # Does not return: the child never runs the clauses below,
                    # which are the parent's.
                    _live(work, mask, parent)
            except OSError:
                os.close(self._read)
                raise
            finally:
                # A child that dies closes the pipe. The parent sees that end
                # of file only if it does not hold the write end itself.
                os.close(write)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def answer(self) -> Any:
        """Wait for the next answer, and return it.

        :raises Ended: without one
        """
        self._owes = True
        begun = time.monotonic()
        # By a monotonic clock: the host's time may jump while a check runs.
        deadline = begun + self._timeout
        waiting = select.poll()
        waiting.register(self._read, select.POLLIN)
        while b"\n" not in self._text:
            left = deadline - time.monotonic()
            # Before reading: a child that sends a byte now and then gets no
            # more time for it.
            if left <= 0:
                raise Ended(
                    f"no answer within {self._timeout:g} seconds", begun, False
                )
            # A signal handler may raise here. Callers call end() in a finally
            # clause, so that no child outlives its round.
            self._alive()
            if not waiting.poll(min(left, _BEAT) * 1000):
                continue
            part = os.read(self._read, 1 << 16)
            self._text += part
            if not part:
                raise Ended(
                    f"the {self._what} crashed: {self._fate()}", begun, True
                )
            # Not a crash: a check whose child crashed may be asked a second
            # time (check_process.Isolation), and this one would only say as
            # much again.
            if len(self._text) > LIMIT:
                raise Ended(
                    f"its answer is longer than {LIMIT} bytes", begun, False
                )
        line, _, self._text = self._text.partition(b"\n")
        content = json.loads(line)
        self.left = content["left"]
        self._owes = False
        return content["answer"]

    def _fate(self) -> str:
        """Return how the child ended."""
        # It stays a zombie until end(): no other process can get its pid and
        # process group, which end() kills.
        if not _wait(self.pid, reap=False):
            return "it is silent"
        info = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        if info is None or info.si_code == os.CLD_EXITED:
            return f"exit status {info.si_status if info else '?'}"
        name = signal.Signals(info.si_status).name
        # The parent sends SIGKILL only in end(), later than this. Most often
        # it is the OOM killer, which takes this child first (_prepare()).
        memory = " (out of memory?)" if name == "SIGKILL" else ""
        return f"killed by {name}{memory}"

    def end(self) -> int | None:
        """End it with all that it has started.

        :returns: a process that the kernel does not let go, None if all are
            gone
        """
        # What is below it first, so that nothing gets away. With the answer
        # nothing is.
        if self._owes and not _ended(self.pid):
            # Stopped and not yet killed: it starts nothing more, and still
            # adopts what its descendants leave. If it were dead, init would
            # adopt them, and they would run on.
            os.kill(self.pid, signal.SIGSTOP)
            self.left += processes.kill_below(self.pid)
        _kill(self.pid)
        os.close(self._read)
        if not _wait(self.pid):
            return self.pid
        return self.left[0] if self.left else None


# A second child would hang in the same place, and each round would leave one
# more process: callers do not start a task that is in here.
class Hanging(dict[str, int]):
    """Tasks that hang in a process that cannot be killed, with its pid."""

    def current(self) -> dict[str, int]:
        """Return those that hang still, and forget the others."""
        for name in [name for name, pid in self.items() if _over(pid)]:
            del self[name]
        return dict(self)


def _live(
    work: Callable[[], int], mask: Iterable[int], parent: int
) -> NoReturn:
    """Be a child: work, and end with the exit status that comes of it."""
    status = 1
    try:
        _prepare()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        # Its parent may have ended before it was to die with it.
        if os.getppid() != parent:
            raise SystemExit
        # sys.exit() or an error in a plugin's check ends with the status 1
        # from above.
        status = work()
    finally:
        # Nothing of the parent's is to be flushed or closed here.
        os._exit(status)


def _serve(
    answers: Callable[[], Iterator[Any]], pipe: int, limit: float
) -> int:
    """Answer, one line of JSON each; return the exit status."""
    # SIGALRM ends the process by its default action, also where the
    # interpreter waits in a C call and runs no Python handler.
    signal.setitimer(signal.ITIMER_REAL, limit)
    # json.dumps() escapes line feeds and all but ASCII: no text from a host,
    # such as a guest's name, can end the line and forge an answer.
    with open(pipe, "w", encoding="ascii") as out:
        for answer in answers():
            # Nothing that it has started runs on when the answer is there.
            left = processes.kill_below(os.getpid())
            out.write(f"{json.dumps({'answer': answer, 'left': left})}\n")
            out.flush()
            signal.setitimer(signal.ITIMER_REAL, limit)
    return 0


def _supervise(
    work: Callable[[], int], pipe: int, limit: float, mask: Iterable[int]
) -> int:
    """Run the work in a child; end as it ends, with all it started.

    :returns: its exit status
    """
    # These handlers first: _prepare() asked for SIGKILL at the parent's end,
    # which leaves the descendants running. SIGTERM lets this process kill
    # them.
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, processes.die_with_all)
    processes.die_with_parent(signal.SIGTERM)
    # Should the child have switched its own limit off.
    signal.setitimer(signal.ITIMER_REAL, limit + GRACE)
    # fork(2) clears the timers and PR_SET_PDEATHSIG, and prctl(2) does not
    # pass a subreaper on: _live() sets them again in the child.
    supervisor = os.getpid()
    pid = os.fork()
    if not pid:
        _live(work, mask, supervisor)
    # The child holds the only write end now: the parent sees its end although
    # the supervisor is still there.
    os.close(pipe)
    return _outlive(pid)


def _outlive(pid: int) -> int:
    """Wait for a child, and end what it has left; end as it did if killed.

    :returns: its exit status
    """
    _, status = os.waitpid(pid, 0)
    # SIGTERM and SIGALRM interrupt the wait above: their handler kills the
    # same processes and does not return.
    processes.kill_below(os.getpid())
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        # So that the parent's _fate() names the signal that ended the work
        # itself.
        os.kill(os.getpid(), number)
    return os.waitstatus_to_exitcode(status)


def _prepare() -> None:
    """Be a process group, mortal, and the first to go for lack of memory."""
    # end() kills the whole group: it must not be the daemon's own.
    os.setpgid(0, 0)
    processes.adopt()
    # prctl(2): the parent is the thread that called fork(2). A child that a
    # short-lived thread starts would die with that thread.
    processes.die_with_parent()
    # A collection writes to every object, and would copy all the parent's.
    gc.freeze()
    for number in _DEFAULTS:
        signal.signal(number, signal.SIG_DFL)
    # The parent's memory has a password in it: no core dump of the copy.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with (
        contextlib.suppress(OSError),
        # Raising it needs no privilege (proc(5)). It fails where /proc is
        # read-only, as in a container; no answer depends on it.
        open("/proc/self/oom_score_adj", "w", encoding="ascii") as file,
    ):
        file.write("1000")


def _kill(pid: int) -> None:
    """Kill the process group of a child that was not waited for yet."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        # It has not made its group yet.
        os.kill(pid, signal.SIGKILL)


def _ended(pid: int) -> bool:
    """Return whether a child has ended; it can still be waited for."""
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, pid, flags) is not None


def _wait(pid: int, reap: bool = True) -> bool:
    """Wait a little for the end of a child; return whether it has ended."""
    flags = os.WEXITED | os.WNOHANG | (0 if reap else os.WNOWAIT)
    # A process that waits for a dead disk (state D of proc(5)) does not take
    # SIGKILL. To wait for ever would stop all other checks.
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


def _over(pid: int) -> bool:
    """Return whether a process has ended, a child or a child's child."""
    try:
        os.kill(pid, 0)
        return _ended(pid) and os.waitpid(pid, os.WNOHANG)[0] == pid
    except ProcessLookupError:
        return True
    except ChildProcessError:
        # No child of this one, and there.
        return False
