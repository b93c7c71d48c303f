# SPDX-License-Identifier: Apache-2.0
"""HostRoot: read a live host, a container's view of one, or a capture.

Every path is resolved below the root, links included, as after a chroot: an
absolute link in a captured tree never leads to the machine that reads it. A
capture's ``ERRORS.json`` lists what could not be read when it was taken, as
pairs of path and error name; that is not missing, it is unreadable.
"""

import errno
import json
import os
import posixpath
import stat

#: No fact of a host is larger; a longer file is cut.
LIMIT = 1 << 20

_MAX_LINKS = 40
_ERRORS = "ERRORS.json"


class Unreadable(Exception):
    """A fact cannot be read.

    :ivar path: path on the host
    :ivar missing: whether there is no such file, rather than no permission
    """

    def __init__(self, path: str, error: OSError) -> None:
        """Say which path, in the words of the system."""
        self.path = path
        self.missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
        super().__init__(f"{path}: {error.strerror}")


class HostRoot:
    """The file system of a host.

    :param root: folder that holds it; ``/`` for the machine itself
    """

    def __init__(self, root: str = "/") -> None:
        """Keep the root; nothing is read yet."""
        self.root = os.path.abspath(root)
        self._errors = _captured_errors(os.path.join(self.root, _ERRORS))

    def read(self, path: str) -> str:
        """Return the text of a file, without white space around it.

        :param path: absolute path on the host
        :raises Unreadable: if it is not there, or no plain file
        """
        try:
            real = self._resolve(path)
            # A FIFO or device in a tree must not hang the reader.
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
            handle = os.open(real, flags)
            try:
                return self._content(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise Unreadable(path, error) from error

    @staticmethod
    def _content(handle: int) -> str:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a plain file")
        parts: list[bytes] = []
        left = LIMIT
        while left and (part := os.read(handle, left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts).decode("utf-8", "replace").strip()

    def names(self, path: str) -> list[str]:
        """Return the sorted names in a folder.

        :raises Unreadable: if it is not there, or no folder
        """
        try:
            return sorted(os.listdir(self._resolve(path)))
        except OSError as error:
            raise Unreadable(path, error) from error

    def link(self, path: str) -> str | None:
        """Return the last name of what a link points to; None for none.

        :raises Unreadable: if it cannot be read
        """
        folder, name = posixpath.split(path)
        try:
            target = os.readlink(os.path.join(self._resolve(folder), name))
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EINVAL):
                return None
            raise Unreadable(path, error) from error
        return posixpath.basename(target)

    def exists(self, path: str) -> bool:
        """Tell whether there is something at a path.

        :raises Unreadable: if that cannot be told
        """
        try:
            os.stat(self._resolve(path))
        except OSError as error:
            failed = Unreadable(path, error)
            if failed.missing:
                return False
            raise failed from error
        return True

    def _resolve(self, path: str) -> str:
        """Return the path of a host's file on this machine."""
        left = [part for part in path.split("/") if part]
        done: list[str] = []
        links = 0
        while left:
            part = left.pop(0)
            if part == ".":
                continue
            if part == "..":
                done = done[:-1]
                continue
            here = os.path.join(self.root, *done, part)
            if not os.path.islink(here):
                done.append(part)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            target = os.readlink(here)
            if target.startswith("/"):
                done = []
            left = [one for one in target.split("/") if one] + left
        self._as_captured(done)
        return os.path.join(self.root, *done)

    def _as_captured(self, parts: list[str]) -> None:
        """Fail where the capture failed, for a path or a folder above it."""
        for end in range(1, len(parts) + 1 if self._errors else 0):
            number = self._errors.get("/" + "/".join(parts[:end]))
            if number is not None:
                raise OSError(number, os.strerror(number))


def _captured_errors(path: str) -> dict[str, int]:
    """Return the paths that a capture could not read, with the errors."""
    try:
        with open(path, encoding="utf-8") as file:
            listed = json.load(file)
        return {
            str(where): getattr(errno, str(name), errno.EIO)
            for where, name in listed
        }
    except (OSError, ValueError, TypeError):
        return {}
