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
import pathlib
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

_EVERY = 0.002
_KIB = 1024

# kcmp(2), which libc has no function for, and its KCMP_VM.
_KCMP = {"x86_64": 312, "aarch64": 272}
_VM = 1
_LIBC = ctypes.CDLL(None)


def peak_mib(command: Sequence[str]) -> float:
    """Run a command; return its peak with its children in MiB.

    :raises subprocess.CalledProcessError: if it fails
    """
    watching = [sys.executable, "-m", __name__, *command]
    done = subprocess.run(watching, stdout=subprocess.PIPE, check=True)
    return float(done.stdout.split()[-1])


def watched(command: Sequence[str]) -> float:
    """Do so in this process."""
    process = subprocess.Popen(command)
    peak_kib = 0
    pid = 0
    while not pid:
        result = sum(_pss_kib(each) for each in _tree(process.pid))
        peak_kib = max(peak_kib, result)
        time.sleep(_EVERY)
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    # ru_maxrss is that of the process or of a descendant that was waited for.
    return round(max(peak_kib, usage.ru_maxrss) / _KIB, 1)


def _tree(pid: int) -> Iterator[int]:
    """Yield a process and all below it that have a memory of their own."""
    yield pid
    number = _KCMP.get(platform.machine())
    for child in _read(f"/proc/{pid}/task/{pid}/children").split():
        shared = number and not _LIBC.syscall(
            number, pid, int(child), _VM, 0, 0
        )
        if not shared:
            yield from _tree(int(child))


def _pss_kib(pid: int) -> int:
    """Return the proportional set size; 0 for a process that has ended."""
    text = _read(f"/proc/{pid}/smaps_rollup")
    lines = (line.split() for line in text.splitlines())
    return next((int(each[1]) for each in lines if each[0] == "Pss:"), 0)


def _read(path: str) -> str:
    """Return a file of proc(5); nothing of a process that has ended."""
    with contextlib.suppress(OSError):
        return pathlib.Path(path).read_text()
    return ""


if __name__ == "__main__":
    print(watched(sys.argv[1:]))
