# SPDX-License-Identifier: Apache-2.0
"""Files that are replaced in one step: nobody ever reads half of one."""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator


def replace(path: str, text: str, mode: int = 0o600) -> None:
    """Write a file in place of another, or none.

    It is on the disk before it gets its name. Its folder must be there. What
    a kill leaves behind has a name of its own, ``.<name>.new``, and the next
    write takes it.

    :param mode: permissions of the file
    :raises OSError: if it could not be done; what was there is untouched
    """
    folder, name = os.path.split(os.path.abspath(path))
    temporary = os.path.join(folder, f".{name}.new")
    with _alone(temporary) as handle:
        try:
            os.ftruncate(handle, 0)
            with open(os.dup(handle), "wb") as file:
                file.write(text.encode())
            os.fchmod(handle, mode)
            os.fsync(handle)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
    _sync(folder)


def create(path: str, text: str, mode: int = 0o644) -> None:
    """Write a file that is not there yet.

    :param mode: permissions of the file
    :raises FileExistsError: if something has that name
    :raises OSError: if it could not be done; then there is no file
    """
    folder = os.path.dirname(os.path.abspath(path))
    temporary = f"{path}.{os.getpid()}.new"
    try:
        replace(temporary, text, mode)
        os.link(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    _sync(folder)


@contextlib.contextmanager
def _alone(path: str) -> Iterator[int]:
    """Give the descriptor of a file that no other writer has now.

    :raises OSError: if there can be none, or it is somebody else's
    """
    while True:
        # Where others may write to the folder, nothing of theirs is waited
        # for: neither a reader of a pipe nor a lock.
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(path, flags | os.O_NONBLOCK, 0o600)
        try:
            status = os.fstat(handle)
            ours = status.st_uid == os.geteuid()
            if not ours or not stat.S_ISREG(status.st_mode):
                raise PermissionError(1, "somebody else's", path)
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _is(path, handle):
                yield handle
                return
        finally:
            os.close(handle)


def _is(path: str, handle: int) -> bool:
    """Return whether a path still leads to an open file.

    Another writer may have given it its final name meanwhile.
    """
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False


def _sync(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
