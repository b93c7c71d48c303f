# SPDX-License-Identifier: Apache-2.0
"""Files that are replaced in one step: nobody ever reads half of one."""

import contextlib
import os
import tempfile


def replace(path: str, text: str, mode: int = 0o600) -> None:
    """Write a file in place of another, or none.

    It is on the disk before it gets its name. Its folder must be there.

    :param mode: permissions of the file
    :raises OSError: if it could not be done; what was there is untouched
    """
    folder = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(prefix=".new-", dir=folder)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
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


def _sync(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
