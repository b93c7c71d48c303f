# SPDX-License-Identifier: Apache-2.0
"""Files that are replaced in one step: nobody ever reads half of one."""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from errno import EAGAIN, EEXIST

# Seconds after which a file that others may open was left by a kill, and
# between two looks at it.
_LEFT, _PAUSE = 1.0, 0.01
# Of a writer, until a file is its own.
_TRIES = 1000


def replace(
    path: str, text: str, mode: int = 0o600, new: bool = False
) -> None:
    """Write a file in one step, and put it on the disk first.

    Its folder must exist. A kill leaves ``.<name>.new`` at most, which the
    next call for this path takes over.

    :param mode: permissions of the file
    :param new: whether the path must be free; see ``create``
    :raises OSError: if the file cannot be written; what was there is untouched
    """
    folder, name = os.path.split(os.path.abspath(path))
    temporary = os.path.join(folder, f".{name}.new")
    with _alone(temporary) as handle:
        try:
            os.ftruncate(handle, 0)
            with open(os.dup(handle), "wb") as file:
                file.write(text.encode())
            os.fsync(handle)
            # Not os.link: a kill before the second unlink would leave two
            # names of one file, and the next call would truncate both. Our
            # writers hold the lock of the temporary file here.
            if new and os.path.lexists(path):
                raise FileExistsError(EEXIST, os.strerror(EEXIST), path)
            # Last: others may open it from now on.
            os.fchmod(handle, mode)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def create(path: str, text: str, mode: int = 0o644) -> None:
    """Write a file whose path is free, as ``replace`` does.

    :raises FileExistsError: if something has that name, a dangling link too
    :raises OSError: if the file cannot be written; then there is none
    """
    replace(path, text, mode, new=True)


@contextlib.contextmanager
def _alone(path: str) -> Iterator[int]:
    """Yield the descriptor of a file that no other writer uses.

    :raises OSError: if it cannot be made, or another user owns it
    """
    for _ in range(_TRIES):
        # If other users may write to the folder, do not wait for what they
        # made: for the reader of a pipe, or for a lock.
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(path, flags | os.O_NONBLOCK, 0o600)
        try:
            status = os.fstat(handle)
            ours = status.st_uid == os.geteuid()
            if not ours or not stat.S_ISREG(status.st_mode):
                raise PermissionError(1, "somebody else's", path)
            # A user who may open the file may hold its lock for ever. Its
            # writer renames it at once, or was killed before.
            if status.st_mode & 0o077:
                time.sleep(_PAUSE)
                age = abs(time.time() - status.st_ctime)
                if age > _LEFT and _is(path, handle):
                    os.unlink(path)
                continue
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _is(path, handle):
                yield handle
                return
        finally:
            os.close(handle)
    raise BlockingIOError(EAGAIN, "other processes keep replacing it", path)


def _is(path: str, handle: int) -> bool:
    """Return whether a path still leads to an open file.

    Another writer may have renamed it in the meantime.
    """
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False
