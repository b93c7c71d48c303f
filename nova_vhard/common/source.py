# SPDX-License-Identifier: Apache-2.0
"""Read text from regular files of limited size.

A read never waits for the writer of a pipe, opens no device, and never holds
more than the limit in memory.
"""

import os
import stat

from nova_vhard.common import trusted

#: Bytes of one file, unless the reader says otherwise.
MAX_SIZE = 2 * 1024 * 1024

#: The largest limit that a service's configuration may set.
MAX_LIMIT = 16 * 1024 * 1024

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class UnreadableError(Exception):
    """Raised when a file has no text for us; says why, without its path.

    :ivar line: line of the error, from 1; 0 for the whole file
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def read_text(path: str, limit: int = MAX_SIZE) -> str:
    """Return the text of a regular file in UTF-8.

    A symbolic link counts as what it leads to: Kubernetes mounts files so.

    :param limit: bytes that the file may have
    :raises UnreadableError: if it is not there, no regular file, too large,
        or no text
    """
    return _read(path, limit)[0]


def read_private(path: str, secret: bool, limit: int = MAX_SIZE) -> str:
    """Return the text of a file that only root and this user can write.

    :param secret: True if others must not be able to read it, either
    :raises UnreadableError: as ``read_text``; also if another user can change
        the file or its path (``trusted.check``), or if others can read a
        secret
    """
    try:
        place = trusted.check(path)
    except trusted.Untrusted as error:
        raise UnreadableError(f"cannot be trusted: {error}") from error
    text, about = _read(place, limit)
    if secret and about.st_mode & stat.S_IROTH:
        raise UnreadableError("can be read by others: chmod o-r")
    return text


def _read(path: str, limit: int) -> tuple[str, os.stat_result]:
    """Return the text of a file, and what it was read from."""
    try:
        # Looked at before it is opened as well: to open a device can do
        # something, and the second look is at what was really opened.
        _check_kind(os.stat(path).st_mode)
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        with open(os.open(path, flags), "rb") as file:
            about = os.fstat(file.fileno())
            _check_kind(about.st_mode)
            raw = file.read(limit + 1)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UnreadableError(f"cannot be read: {error}") from error
    if len(raw) > limit:
        raise UnreadableError(f"is larger than {limit} bytes")
    try:
        return raw.decode(), about
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UnreadableError(f"is not UTF-8: {error.reason}", line) from error


def _check_kind(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no file")
        raise UnreadableError(
            f"cannot be read: it is {kind}, and must be a regular file"
        )
