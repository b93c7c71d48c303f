# SPDX-License-Identifier: Apache-2.0
"""Processes that a step has started, also those that tried to get away."""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterator
from typing import NoReturn

# linux/prctl.h
# Python's standard library has no prctl(2).
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

# linux/wait.h: children too that send no SIGCHLD when they end.
# waitid(2) does not report those without this flag.
_WALL = 0x40000000

# Seconds that killed processes have to go.
# One that waits for a device in the kernel stays until that answers.
_PATIENCE = 1.0


def adopt() -> None:
    """Become the parent of all descendants whose parents end.

    :raises OSError: if the kernel does not do that
    """
    # prctl(2): an orphan goes to its nearest living ancestor that asked for
    # it, not to init. Neither a double fork nor setsid(2) escapes that.
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Get a signal when the parent ends, however that ends.

    :raises OSError: if the kernel does not do that
    """
    _prctl(_PR_SET_PDEATHSIG, number)


def die_with_all(number: int, frame: object) -> NoReturn:
    """Kill everything below this process, then end: a signal's handler.

    The process must adopt().
    """
    kill_below(os.getpid())
    # The status that a shell shows for a process that a signal has ended.
    os._exit(128 + number)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def descendants(pid: int) -> list[int]:
    """Return the processes below one that still run, the nearest first.

    Ended ones that nobody has waited for are not among them.
    """
    children: dict[int, list[int]] = {}
    ended: set[int] = set()
    for item, state, parent in _all():
        children.setdefault(parent, []).append(item)
        # SIGKILL does not remove a zombie. Counted, it would make every
        # kill_below() wait until its deadline.
        if state in "ZX":
            ended.add(item)
    result: list[int] = []
    below = [pid]
    # The loop ends even if a pid is used again while the table is read: each
    # process has one parent in it, so that no circle hangs below a process
    # that runs.
    while below:
        below = [
            child for parent in below for child in children.get(parent, ())
        ]
        result += below
    return [item for item in result if item not in ended]


def _all() -> Iterator[tuple[int, str, int]]:
    """Yield pid, state and parent's pid of every process."""
    # /proc/PID/task/TID/children would be less to read, but needs
    # CONFIG_PROC_CHILDREN and may leave some out while they run (proc(5)).
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        # The process may end now. Its name, in parentheses, can be anything.
        with (
            contextlib.suppress(OSError, ValueError),
            open(f"/proc/{name}/stat", encoding="latin-1") as file,
        ):
            # So the last parenthesis counts: one may call itself "x) Z 1".
            fields = file.read().rpartition(")")[2].split()
            yield int(name), fields[0], int(fields[1])


def kill_below(pid: int) -> list[int]:
    """Kill everything below a process that adopts; return what stays.

    :returns: processes that the kernel does not let go
    """
    # The usual case, after each check: it saves opening the stat file of each
    # of thousands of processes.
    if pid == os.getpid() and _childless():
        return []
    deadline = time.monotonic() + _PATIENCE
    # Until none is left: any of them may fork after the table was read, and
    # what it starts stays below the process that adopts.
    while result := descendants(pid):
        for item in result:
            with contextlib.suppress(ProcessLookupError):
                # Not by process group: each of them may have made one of its
                # own.
                os.kill(item, signal.SIGKILL)
        if time.monotonic() > deadline:
            # Callers remember the first of them, and start no further task of
            # its kind until it has gone (child_process.Hanging).
            return result
        time.sleep(0.005)
    return []


def _childless() -> bool:
    """Return whether this process has no child, running or ended.

    Nothing is below it then, if it adopts: what has lost its parent is a
    child of it. The kernel knows that without a look at every process.
    """
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT | _WALL)
    except ChildProcessError:
        return True
    return False
