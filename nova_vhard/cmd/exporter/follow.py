# SPDX-License-Identifier: Apache-2.0
"""A log file, followed as ``tail -F`` follows it."""

import errno
import os
import stat
from collections.abc import Iterator

#: Bytes; of a longer line only the first part is kept, so that it cannot be
#: read and is counted as such.
LONGEST = 1 << 20

_CHUNK = 1 << 16
_TAIL = 256


class _Open:
    """A file that is open, and how far it has been read.

    :param at_end: whether to begin behind the last whole line
    :raises OSError: if it cannot be opened, or is no regular file
    """

    def __init__(self, path: str, at_end: bool) -> None:
        """Open the file. Opening a pipe must not wait for its writer."""
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        self._handle = os.open(path, flags)
        status = os.fstat(self._handle)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise OSError(errno.EINVAL, "not a regular file", path)
        self.identity = _identity(status)
        self._restart()
        if at_end:
            self._skip(status.st_size)

    def _restart(self) -> None:
        self._position = 0
        # What stands in front of the position, to know it again.
        self._tail = b""
        self._rest = b""

    def _skip(self, size: int) -> None:
        start = max(0, size - _CHUNK)
        last = os.pread(self._handle, size - start, start)
        whole = last[: last.rfind(b"\n") + 1] or last
        self._position = start + len(whole)
        self._tail = whole[-_TAIL:]

    def lines(self) -> Iterator[bytes]:
        """Yield the whole lines that are new.

        A file that was truncated is read from its start again, also if it
        has grown beyond where it was read to.
        """
        if self._truncated():
            self._restart()
        while chunk := os.pread(self._handle, _CHUNK, self._position):
            self._position += len(chunk)
            self._tail = (self._tail + chunk)[-_TAIL:]
            *whole, rest = (self._rest + chunk).split(b"\n")
            self._rest = rest[:LONGEST]
            yield from whole

    def _truncated(self) -> bool:
        start = self._position - len(self._tail)
        return os.pread(self._handle, len(self._tail), start) != self._tail

    def deleted(self) -> bool:
        """Tell whether the file has no name any more."""
        return os.fstat(self._handle).st_nlink == 0

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._handle)


class Follower:
    """Follows a path, whatever file is there.

    What was in the file when it was first opened is not read; what is in a
    file that appears later is. A file that was renamed is read on beside its
    successor, because services reopen their logs late, until it is deleted
    or the next one is renamed.
    """

    def __init__(self, path: str) -> None:
        """Open nothing yet."""
        self.path = path
        self._now: _Open | None = None
        self._before: _Open | None = None
        self._appears = False

    def lines(self) -> Iterator[bytes]:
        """Yield the lines that are new, without their ends.

        :raises OSError: if there is no such file, or it cannot be read; to
            be tried again
        """
        if self._before is not None:
            yield from self._read(self._before)
            if self._before is not None and self._before.deleted():
                self._close_before()
        if self._now is not None:
            yield from self._read(self._now)
        if self._now is None or self._now.identity != self._named():
            self._open()
            if self._now is not None:
                yield from self._read(self._now)

    def _read(self, file: _Open) -> Iterator[bytes]:
        """Read a file; let go of one that cannot be read any more."""
        try:
            yield from file.lines()
        except OSError:
            self.close()
            # Nothing is counted twice: what cannot be told apart is skipped.
            self._appears = False
            raise

    def _named(self) -> tuple[int, int]:
        """Return which file the path names now."""
        return _identity(os.stat(self.path))

    def _open(self) -> None:
        try:
            opened = _Open(self.path, at_end=not self._appears)
        except FileNotFoundError:
            self._appears = True
            raise
        self._appears = True
        self._close_before()
        self._before, self._now = self._now, opened

    def _close_before(self) -> None:
        if self._before is not None:
            self._before.close()
            self._before = None

    def close(self) -> None:
        """Let go of the files."""
        self._close_before()
        if self._now is not None:
            self._now.close()
            self._now = None


def _identity(status: os.stat_result) -> tuple[int, int]:
    return (status.st_dev, status.st_ino)
