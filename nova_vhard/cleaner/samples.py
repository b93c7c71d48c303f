# SPDX-License-Identifier: Apache-2.0
"""Samples of a block device, taken before it is erased and compared after.

They bypass the page cache. A block whose bytes are all the same would prove
nothing, so random bytes are written to it first.
"""

import errno
import mmap
import os
import secrets

from nova_vhard.host.root import Unreadable, unreadable

_BLOCK = 4096


class Samples:
    """Samples of a block device that nobody else uses.

    :param path: of the block device
    :param count: samples: the first and the last block, and random ones
    :raises Unreadable: if it is in use, or cannot be read and written
    """

    def __init__(self, path: str, count: int) -> None:
        """Take the samples."""
        self._path = path
        flags = os.O_RDWR | os.O_DIRECT | os.O_EXCL | os.O_CLOEXEC
        try:
            handle = os.open(path, flags)
            try:
                self.size = os.lseek(handle, 0, os.SEEK_END)
                last = self.size // _BLOCK - 1
                if last < 0:
                    raise unreadable(path, "holds not even one block")
                more = {secrets.randbelow(last + 1) for _ in range(count - 2)}
                self.marked = 0
                self._before: dict[int, bytes] = {}
                for offset in sorted(x * _BLOCK for x in {0, last, *more}):
                    content = _read(handle, offset)
                    if len(set(content)) == 1:
                        content = self._mark(handle, offset)
                        self.marked += 1
                    self._before[offset] = content
            finally:
                os.close(handle)
        except OSError as error:
            raise Unreadable(path, error) from error

    def _mark(self, handle: int, offset: int) -> bytes:
        """Write random bytes; return them as they are read back.

        :raises Unreadable: if others are read back
        """
        content = secrets.token_bytes(_BLOCK)
        with mmap.mmap(-1, _BLOCK) as memory:
            memory[:] = content
            os.pwrite(handle, memory, offset)
        os.fsync(handle)
        if _read(handle, offset) != content:
            raise unreadable(self._path, "does not keep what is written to it")
        return content

    def kept(self) -> list[int]:
        """Return the offsets at which the same is read as before.

        :raises Unreadable: if one of them cannot be read
        """
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_DIRECT)
            try:
                return [
                    offset
                    for offset, content in self._before.items()
                    if _read(handle, offset) == content
                ]
            finally:
                os.close(handle)
        except OSError as error:
            raise Unreadable(self._path, error) from error

    def __len__(self) -> int:
        """Return how many they are."""
        return len(self._before)


def _read(handle: int, offset: int) -> bytes:
    """Return a block.

    :raises OSError: if it cannot be read, or in part only
    """
    # Memory that begins with a page, as reading past the cache needs it.
    with mmap.mmap(-1, _BLOCK) as memory:
        if os.preadv(handle, [memory], offset) != _BLOCK:
            raise OSError(errno.EIO, f"less than a block at {offset}")
        return bytes(memory)
