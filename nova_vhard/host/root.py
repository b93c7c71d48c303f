# SPDX-License-Identifier: Apache-2.0
"""HostRoot: read a live host, a container's view of one, or a capture.

Every path is resolved below the root, links included, as after a chroot: an
absolute link in a captured tree never leads to the machine that reads it.

The evidence of a check is recorded here: ``read`` records path and text, and
``note`` any other line. Every other method is silent: a check looks at
thousands of files, and a report has room for the few that decide.

A capture's ``ERRORS.json`` lists what could not be read when it was taken, as
pairs of path and error name; that is not missing, it is unreadable. Where it
is damaged, nothing can be read.
"""

import contextlib
import errno
import json
import os
import posixpath
import re
import stat
from collections.abc import Iterator
from functools import cached_property
from typing import BinaryIO

from nova_vhard.host.evidence import Evidence
from nova_vhard.host.sanitized import shown

#: No fact of a host is larger; a longer file is cut.
LIMIT = 1 << 20

# MAXSYMLINKS of the kernel: path_resolution(7).
_MAX_LINKS = 40
_MAX_ANSWER = 4096

# ESRCH: the process of a file in /proc ended after the file was opened.
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ESRCH)
_ERRORS = "ERRORS.json"

#: What the kernel never makes a link of, nor anything on the way to it.
_OF_PROCESS = re.compile(
    r"/proc/[0-9]+(?:/(?:cmdline|comm|maps|mountinfo|stat))?"
)

# Characters of a text that evidence has.
_SHOWN = 120

#: In place of a path: what was to be asked is libvirt's daemon.
LIBVIRT = "libvirt"


# Every reader raises this and nothing else: Check.run() makes it UNKNOWN. An
# OSError that escapes would be "a fault of the check".
class Unreadable(Exception):
    """Raised if a fact cannot be read.

    :ivar path: path on the host; ``LIBVIRT`` if its daemon does not answer
    :ivar why: the system's error message
    :ivar missing: whether the file does not exist
    :ivar denied: whether permission is denied
    :ivar step: remediation, if the caller that raises it knows one
    """

    def __init__(self, path: str, error: OSError, step: str = "") -> None:
        self.path = path
        self.why = error.strerror
        self.missing = error.errno in _MISSING
        self.denied = error.errno in (errno.EACCES, errno.EPERM)
        self.step = step
        super().__init__(f"{path}: {error.strerror}")


def unreadable(path: str, reason: str, step: str = "") -> Unreadable:
    """Return the error for a fact that is there and means nothing.

    :param step: what to do about it
    """
    return Unreadable(path, OSError(errno.EINVAL, reason), step)


@contextlib.contextmanager
def reading(path: str) -> Iterator[None]:
    """Raise Unreadable for a path where the system raises an error."""
    try:
        yield
    except OSError as error:
        raise Unreadable(path, error) from error


class HostRoot:
    """The file system of a host.

    :param root: folder that holds it; ``/`` for the machine itself
    :ivar evidence: record of the check that runs
    """

    def __init__(self, root: str = "/") -> None:
        self.root = os.path.abspath(root)
        # None is a list that is damaged: then each path may be one that could
        # not be read, and all of them fail.
        errors = _captured_errors(os.path.join(self.root, _ERRORS))
        self._errors = {_ERRORS: errno.EIO} if errors is None else errors
        self.evidence = Evidence()

    @property
    def captured(self) -> bool:
        """Whether this is a capture, with outputs of commands in ``CMD``."""
        return os.path.isdir(os.path.join(self.root, "CMD"))

    @property
    def live(self) -> bool:
        """Whether ``/proc`` is a kernel's own, not a copy."""
        try:
            # The type of its file system decides: a capture also has a folder
            # proc.
            handle = os.open(os.path.join(self.root, "proc"), os.O_PATH)
        except OSError:
            return False
        try:
            return _filesystem(handle) == "proc"
        finally:
            os.close(handle)

    @cached_property
    def _kernel_proc(self) -> bool:
        """Whether ``/proc`` itself, not what a link leads to, is a kernel's.

        Read once: a HostRoot is for one round.
        """
        proc = os.path.join(self.root, "proc")
        # A link could lead into this machine's own /proc.
        return self.live and not (os.path.islink(proc) or self._errors)

    def may_list(self, path: str) -> bool:
        """Return whether a folder can be listed, a process's root too.

        Of a copy only what is a folder there, never what a link leads to.
        """
        place = os.path.join(self.root, path.lstrip("/"))
        # In a capture, proc/1/root is a plain link to "/": this machine's
        # root.
        if os.path.islink(place) and not self.live:
            return False
        return os.path.isdir(place) and os.access(place, os.R_OK | os.X_OK)

    def may_open(self, path: str) -> bool:
        """Return whether a process's file, such as ``exe``, can be opened."""
        place = os.path.join(self.root, path.lstrip("/"))
        # exe of a captured tree would be a program of this machine.
        return self.live and os.access(place, os.R_OK)

    def note(self, *lines: str, first: bool = False) -> None:
        """Add lines to the evidence, sanitized.

        :param first: whether they go before those that do not
        """
        self.evidence.note(*lines, first=first)

    def read(self, path: str) -> str:
        """Return the text of a file, and record it as evidence.

        :param path: absolute path on the host
        :raises Unreadable: if it is not there, or no plain file
        """
        text = self.peek(path)
        self.note(f"{path}: {shown(' '.join(text.split()), _SHOWN)}")
        return text

    def peek(self, path: str, limit: int = LIMIT) -> str:
        """Return the text of a file, without white space around it.

        :param path: absolute path on the host
        :param limit: of bytes; a longer file is cut
        :raises Unreadable: if it is not there, or no plain file
        """
        with self.open(path) as file, reading(path):
            return file.read(limit).decode("utf-8", "replace").strip()

    def lines(self, path: str) -> Iterator[str]:
        """Yield the lines of a table, such as ``/proc/interrupts``.

        All of them: a line that is longer than any is not cut, but an error.

        :param path: absolute path on the host
        :raises Unreadable: if it is not there, no plain file, or one is too
            long
        """
        with self.open(path) as file, reading(path):
            # No limit of their number: any user can have half a million
            # sockets, which are lines of one table.
            while line := file.readline(LIMIT):
                # An error, not a cut: half a line could lack the word that is
                # a FAIL.
                if len(line) == LIMIT:
                    raise OSError(errno.EFBIG, "longer than any kernel's")
                yield line.decode("utf-8", "replace").rstrip("\n")

    def open(self, path: str) -> BinaryIO:
        """Return a file, opened for reading bytes.

        :param path: absolute path on the host
        :raises Unreadable: if it is not there, or no plain file
        """
        # A FIFO or device in a tree must not hang the reader.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        with reading(path):
            # Opened once, and judged by its descriptor: between a look at the
            # path and the opening it could become another file.
            handle = os.open(self._resolve(path), flags)
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                os.close(handle)
                raise OSError(errno.EINVAL, "not a plain file")
            return os.fdopen(handle, "rb")

    def stat(self, path: str) -> os.stat_result:
        """Return what the file system says of what a path leads to.

        :raises Unreadable: if it is not there, or cannot be reached
        """
        with reading(path):
            return os.stat(self._resolve(path))

    def real(self, path: str) -> str:
        """Return the host's own path of what a path leads to.

        :raises Unreadable: if the links on the way lead nowhere
        """
        with reading(path):
            result = os.path.relpath(self._resolve(path, []), self.root)
        return "/" if result == "." else f"/{result}"

    def maybe(
        self, path: str, beside: str = "", limit: int = LIMIT
    ) -> str | None:
        """Return the text of a file, None if it is not there.

        :param beside: folder that is not empty on a host whose files are in
            sight: without it, a file that is not there is an error
        :param limit: of bytes; a longer file is cut
        :raises Unreadable: if it cannot be read
        """
        try:
            return self.peek(path, limit)
        except Unreadable as error:
            if error.missing and (not beside or self.names(beside)):
                return None
            raise

    def changed(self, path: str) -> int:
        """Return when a file was changed last, in seconds since 1970.

        That needs no right to read the file, only to get to its folder.

        :raises Unreadable: if that cannot be told
        """
        return int(self.stat(path).st_mtime)

    def attribute(self, path: str, name: str) -> str:
        """Return an extended attribute of a file, such as security.selinux.

        :raises Unreadable: if the file is not there, or has none
        """
        with reading(path):
            value = os.getxattr(self._resolve(path), name)
        return value.decode("utf-8", "replace").rstrip("\0")

    def ask(self, path: str, question: str) -> str:
        """Return the kernel's answer to a question about SELinux.

        Some files of selinuxfs answer what is written to them, and change
        nothing. A file of any other file system is not written to.

        :raises Unreadable: without an answer
        """
        flags = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC
        with reading(path):
            handle = os.open(self._resolve(path), flags)
            try:
                if _filesystem(handle) != "selinuxfs":
                    raise OSError(errno.EINVAL, "not a file of selinuxfs")
                os.write(handle, question.encode())
                answer = os.read(handle, _MAX_ANSWER)
            finally:
                os.close(handle)
        return answer.decode("utf-8", "replace").strip("\0\n ")

    def names(self, path: str, missing_ok: bool = False) -> list[str]:
        """Return the sorted names in a folder.

        :param missing_ok: whether a folder that is not there has none
        :raises Unreadable: if it is not there, or no folder
        """
        try:
            with reading(path):
                # Sorted, so that evidence is the same from round to round.
                return sorted(os.listdir(self._resolve(path)))
        except Unreadable as error:
            if missing_ok and error.missing:
                return []
            raise

    def link(self, path: str) -> str | None:
        """Return the last name of what a link points to; None for none.

        :raises Unreadable: if it cannot be read
        """
        target = self.target(path)
        return None if target is None else posixpath.basename(target)

    def target(self, path: str) -> str | None:
        """Return the target of a link, unresolved; None if it is not a link.

        :raises Unreadable: if it cannot be read
        """
        folder, name = posixpath.split(path)
        try:
            # The folder is resolved, the last part is not: it is the link
            # itself.
            here = os.path.join(self._resolve(folder), name)
            self._as_captured(here.removeprefix(self.root).split("/")[1:])
            return os.readlink(here)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EINVAL):
                return None
            raise Unreadable(path, error) from error

    def exists(self, path: str) -> bool:
        """Return whether there is something at a path.

        :raises Unreadable: if that cannot be told
        """
        try:
            self.stat(path)
        except Unreadable as error:
            if not error.missing:
                raise
            return False
        return True

    def links(self, path: str) -> list[os.stat_result]:
        """Return what the file system says of each link on the way to a file.

        :raises Unreadable: if they lead nowhere
        """
        passed: list[str] = []
        with reading(path):
            self._resolve(path, passed)
            return [os.lstat(each) for each in passed]

    def _resolve(self, path: str, passed: list[str] | None = None) -> str:
        """Return the path of a host's file on this machine.

        :param passed: gets the path of each link on the way
        """
        # The kernel follows the links of this machine itself, and of what
        # has none; unless they are asked for.
        if passed is None and (
            (self.root == os.sep and not self._errors)
            or (_OF_PROCESS.fullmatch(path) and self._kernel_proc)
        ):
            return os.path.join(self.root, path.lstrip("/"))
        # By hand: openat2(2) with RESOLVE_IN_ROOT does this in the kernel, but
        # Python has no call for it.
        left = [part for part in path.split("/") if part]
        done: list[str] = []
        base, links = self.root.rstrip("/"), 0
        while left:
            part = left.pop(0)
            if part == ".":
                continue
            if part == "..":
                # ".." of the root stays there, as after chroot(2).
                done = done[:-1]
                continue
            here = "/".join((base, *done, part))
            if not os.path.islink(here):
                done.append(part)
                continue
            if passed is not None:
                passed.append(here)
            # Also links that lead to each other come to an end.
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            target = os.readlink(here)
            # An absolute link begins again at the captured root.
            if target.startswith("/"):
                done = []
            left = [item for item in target.split("/") if item] + left
        # After the links: the list has the paths that the capture met.
        self._as_captured(done)
        return os.path.join(self.root, *done)

    def _as_captured(self, parts: list[str]) -> None:
        """Fail where the capture failed, for a path or a folder above it.

        Where it is not known which those are, for every path.
        """
        if _ERRORS in self._errors:
            raise OSError(errno.EIO, f"{_ERRORS} is not understood")
        # A folder that could not be listed hides all that is below it.
        for end in range(1, len(parts) + 1 if self._errors else 0):
            number = self._errors.get("/" + "/".join(parts[:end]))
            if number is not None:
                raise OSError(number, os.strerror(number))


def _filesystem(handle: int) -> str | None:
    """Return the type of the file system that an open file is on."""
    device = os.fstat(handle).st_dev
    # statfs(2), which tells the type of a file system, is not in Python:
    # os.statvfs() leaves it out.
    number = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        for line in mounts:
            # 36 35 98:0 /root /mount options [...] - type source options
            place, _, kind = line.partition(" - ")
            if place.split()[2] == number:
                return kind.split()[0]
    return None


def _captured_errors(path: str) -> dict[str, int] | None:
    """Return the paths that a capture could not read, with the errors.

    :returns: empty without a list; None if the list is invalid, so that
        unreadable files are not mistaken for missing ones
    """
    # A capture comes from elsewhere: its list must not be a link out of it.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            listed = json.loads(file.read(LIMIT))
        return {
            str(where): int(getattr(errno, str(name), errno.EIO))
            for where, name in listed
        }
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, TypeError, RecursionError):
        return None
