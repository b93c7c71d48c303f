# SPDX-License-Identifier: Apache-2.0
"""What runs in the child process that answers checks."""

import contextlib
import gc
import json
import os
import resource
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import NoReturn

from nova_vhard.host.check import Check, Result
from nova_vhard.host.host import Host

#: A result, and the seconds that it took.
Timed = tuple[Result, float]

#: Seconds after a check's limit at which a child ends by itself: its parent
#: has been killed and cannot do it.
GRACE = 10.0

_DEFAULTS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGALRM,
)


def timed(check: Check, host: Host) -> Timed:
    """Run a check; return its result and the seconds that it took."""
    begun = time.monotonic()
    try:
        result = check.run(host)
    except BaseException as error:  # noqa: BLE001 - sys.exit() in a check
        text = f"the check failed: {type(error).__name__}: {error}"
        result = check.unknown(text)
    return result, round(time.monotonic() - begun, 6)


def serve(
    host: Host,
    checks: Sequence[Check],
    pipe: int,
    timeout: float,
    mask: Iterable[int],
) -> NoReturn:
    """Be the child: answer checks, one line of JSON each, and end.

    :param pipe: descriptor that the answers go to
    :param timeout: seconds that one check may take
    :param mask: signals to block from now on; all are blocked before
    """
    status = 1
    try:
        prepare()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for check in checks:
            signal.setitimer(signal.ITIMER_REAL, timeout + GRACE)
            result, seconds = timed(check, host)
            line = json.dumps({**asdict(result), "seconds": seconds})
            write(pipe, f"{line}\n".encode())
        status = 0
    finally:
        # Nothing of the parent's is to be flushed or closed here.
        os._exit(status)


def prepare() -> None:
    """Be a process group, mortal, and the first to go for lack of memory."""
    os.setpgid(0, 0)
    # A collection writes to every object, and would copy all the parent's.
    gc.freeze()
    for number in _DEFAULTS:
        signal.signal(number, signal.SIG_DFL)
    # The parent's memory has a password in it: no core dump of the copy.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with (
        contextlib.suppress(OSError),
        open("/proc/self/oom_score_adj", "w", encoding="ascii") as file,
    ):
        file.write("1000")


def write(pipe: int, data: bytes) -> None:
    """Write all of it."""
    while data:
        data = data[os.write(pipe, data) :]
