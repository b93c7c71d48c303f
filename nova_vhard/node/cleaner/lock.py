# SPDX-License-Identifier: Apache-2.0
"""One lock a device: two cleaners never work on the same one.

It is the kernel's, and ends with the process, with the children that it
forked for steps, and with the programs that those have started: while any of
them still runs, nobody else begins.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator

# Descriptors of the locks that this process holds.
_held: set[int] = set()


def descriptors() -> tuple[int, ...]:
    """Return the descriptors of the locks that are held, for a child."""
    return tuple(_held)


class Locked(Exception):
    """Another process has it."""


@contextlib.contextmanager
def hold(folder: str, address: str) -> Iterator[None]:
    """Hold a device's lock.

    :param folder: on this machine; made if it is not there
    :raises Locked: if another process has it
    :raises OSError: if there can be no lock
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, f"{address}.lock")
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(path, flags, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            text = f"{address}: another process is at it ({path})"
            raise Locked(text) from error
        _held.add(handle)
        yield
    finally:
        _held.discard(handle)
        os.close(handle)
