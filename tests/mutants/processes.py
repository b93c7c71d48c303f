# SPDX-License-Identifier: Apache-2.0
"""Processes that begin where this one stands."""

import contextlib
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

Job = TypeVar("Job")

#: Bytes of the number of a job, as workers take it.
_TICKET = 4

#: Seconds from one look at a process to the next, and for how many it may
#: rest, with all that it has begun: then it waits for what never comes.
_LOOK = 2
_REST = 30
#: In place of the exit status of who was stopped for that; none has this one.
RESTED = 256


def spread(
    workers: int, jobs: Sequence[Job], do: Callable[[Job], None]
) -> None:
    """Do jobs in processes beside each other; each takes the next.

    :param jobs: at most 16,000: their numbers have to fit into a pipe
    :raises RuntimeError: if a worker ends early
    """
    tickets, box = os.pipe()
    numbers = range(len(jobs))
    os.write(box, b"".join(n.to_bytes(_TICKET, "big") for n in numbers))
    os.close(box)

    def work() -> None:
        while ticket := os.read(tickets, _TICKET):
            do(jobs[int.from_bytes(ticket, "big")])

    pids = [_fork(work) for _ in range(workers)]
    os.close(tickets)
    statuses = [os.waitpid(pid, 0)[1] for pid in pids]
    if any(statuses):
        raise RuntimeError("a worker has ended early")


def alone(
    run: Callable[[], None], seconds: int, patience: float
) -> int | None:
    """Run a function in a process of its own, with a place for its files.

    :param seconds: of the processor that it may take
    :param patience: seconds until it is stopped
    :returns: its exit status, 0 if it returns; ``RESTED`` if it was stopped
        since it waits for what never comes, None if it was for another reason
    """
    place = tempfile.mkdtemp()

    def begin() -> None:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        os.environ["TMPDIR"] = tempfile.tempdir = place
        run()

    pid = _fork(begin)
    status = _wait(pid, patience)
    shutil.rmtree(place, ignore_errors=True)
    return status


def _fork(run: Callable[[], None]) -> int:
    """Run a function in a new process; return its id."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        run()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _wait(pid: int, patience: float) -> int | None:
    """Wait for a process, and stop it and its own after a while."""
    watched = os.pidfd_open(pid)
    stopped = _stopped(watched, pid, patience)
    os.close(watched)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    # It may not have a group yet; until it is waited for, the id is its own.
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if stopped == "rests":
        return RESTED
    return None if stopped or code == -signal.SIGXCPU else code


def _stopped(watched: int, group: int, patience: float) -> str:
    """Return why a process is to be stopped; empty when it has ended."""
    start = since = time.monotonic()
    used: int | None = None
    while (left := start + patience - time.monotonic()) > 0:
        if select.select([watched], [], [], min(_LOOK, left))[0]:
            return ""
        before, used = used, _ticks(group)
        if used is None or used != before:
            since = time.monotonic()
        elif time.monotonic() - since > _REST:
            return "rests"
    return "late"


def _ticks(group: int) -> int | None:
    """Return what processes have used of the processor.

    :param group: of processes
    :returns: ticks; None where one of them runs, or would if it could
    """
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # It may have ended since.
        with contextlib.suppress(OSError):
            # Its name is in brackets and may contain brackets.
            fields = stat.read_bytes().rpartition(b")")[2].split()
            if int(fields[2]) == group:
                if fields[0] in (b"R", b"D"):
                    return None
                total += int(fields[11]) + int(fields[12])
    return total
