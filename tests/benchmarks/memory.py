# SPDX-License-Identifier: Apache-2.0
"""The peak memory of a process and all that it starts.

The kernel keeps no such figure without a control group. So the proportional
set sizes of the whole tree are added up every other millisecond: a page that
parent and child share counts once, and so does the memory of a child that has
none of its own yet (vfork, before it runs its program). What comes and goes in
between is caught by the kernel's own peak of the largest process. A program
inherits that peak from the process that starts it, which therefore has to be a
small one: this module's own.

    python -m tests.benchmarks.memory COMMAND...

ends its output with the figure.
"""

import contextlib
import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

_EVERY = 0.002

# kcmp(2) of x86-64, which libc has no function for, and its KCMP_VM.
_KCMP, _VM = 312, 1
_LIBC = ctypes.CDLL(None)


def peak_mib(command: Sequence[str]) -> float:
    """Run a command; return its peak with its children in MiB.

    :raises subprocess.CalledProcessError: if it fails
    """
    watching = [sys.executable, "-m", __name__, *command]
    return float(subprocess.check_output(watching).split()[-1])


def watched(command: Sequence[str]) -> float:
    """Do so in this process."""
    process = subprocess.Popen(command)
    peak = pid = 0
    while not pid:
        peak = max(peak, sum(_pss(process.pid)))
        time.sleep(_EVERY)
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
    if os.waitstatus_to_exitcode(status):
        raise subprocess.CalledProcessError(status, command)
    # ru_maxrss is that of the process or of a descendant that was waited for.
    return round(max(peak / 2**20, usage.ru_maxrss / 2**10), 1)


def _pss(pid: int) -> Iterator[int]:
    """Yield the PSS of a process and of descendants with their own memory."""
    # A process that has ended has none.
    with contextlib.suppress(psutil.Error, OSError):
        yield psutil.Process(pid).memory_full_info().pss
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        for child in map(int, children.split()):
            if _LIBC.syscall(_KCMP, pid, child, _VM, 0, 0):
                yield from _pss(child)


if __name__ == "__main__":
    print(watched(sys.argv[1:]))
