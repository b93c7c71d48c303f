# SPDX-License-Identifier: Apache-2.0
"""Another program's output, within limits of time and size."""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence

#: Bytes of output that are taken.
#: No list of devices or domains is near that: a program that prints without
#: end must not fill the host's memory.
LIMIT = 4 << 20

# QEMU_MODULE_DIR, LIBVIRT_DEFAULT_URI and the loader's variables among others
# stay out.
# The callers parse English text, hence LC_ALL.
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/"}
# Characters of an error. Its reason may be at either end, with warnings in
# between.
_KEPT = 300


# Callers make it Unreadable, and so the check UNKNOWN. What a program printed
# before it failed is never taken for a fact.
class Failed(Exception):
    """Raised when a program gives no output to be believed."""


def output(command: Sequence[str], seconds: float) -> str:
    """Return what a program prints before it ends with 0.

    :param command: path and arguments
    :raises Failed: if it fails, takes too long or prints too much
    :raises OSError: if it cannot be started
    """
    process = subprocess.Popen(  # noqa: S603 - what a caller names
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        # One pipe: a second one that is not read would fill up and stop the
        # program.
        stderr=subprocess.STDOUT,
        env=_ENVIRONMENT,
        cwd="/",
        # Its own process group, for _end(). And no terminal: virsh would ask
        # for a password there (getpass(3)), and wait.
        start_new_session=True,
    )
    deadline = time.monotonic() + seconds
    with process:
        try:
            text = _read(process, deadline)
            status = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            _end(process)
            raise Failed(f"takes over {seconds:.0f} s") from error
        # KeyboardInterrupt and what a signal handler raises too: otherwise
        # Popen.__exit__() waits for the program without a limit.
        except BaseException:
            _end(process)
            raise
    if status:
        raise Failed(f"ended with {status}: {_short(text)}")
    return text


def _short(text: str) -> str:
    """Return the beginning and the end of what a program says."""
    words = " ".join(text.split())
    if len(words) <= _KEPT:
        return words
    return f"{words[: _KEPT // 3]} … {words[-_KEPT * 2 // 3 :]}"


def _read(process: subprocess.Popen[bytes], deadline: float) -> str:
    """Return what a process writes until it closes its output."""
    assert process.stdout is not None  # noqa: S101 - a pipe, as asked for
    parts: list[bytes] = []
    left = LIMIT
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        # Popen.communicate() has a limit of time but none of size.
        while selector.select(max(0.0, deadline - time.monotonic())):
            part = os.read(process.stdout.fileno(), 1 << 16)
            # Only the end of file means that the output is complete. A
            # grandchild that holds the pipe open makes it Failed at the
            # deadline.
            if not part:
                # Not strict: one name that is not UTF-8 must not hide all
                # others.
                return b"".join(parts).decode("utf-8", "replace")
            parts.append(part)
            left -= len(part)
            if left < 0:
                raise Failed("prints too much")
    raise subprocess.TimeoutExpired(process.args, 0)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process, and what a wrapper script has started."""
    with contextlib.suppress(
        ProcessLookupError, PermissionError, subprocess.TimeoutExpired
    ):
        os.killpg(process.pid, signal.SIGKILL)
        # Without success Popen.__exit__() still waits; the limit of the check
        # that asks ends that (child_process.Forked).
        process.wait(1.0)
