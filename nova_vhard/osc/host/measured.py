# SPDX-License-Identifier: Apache-2.0
"""The files that a host runs its guests with, and their digests.

They are found by the package database of the host or of a captured tree:
Debian's is read, RPM's is queried with ``rpm``. The digests that packages
carry are ignored: IMA measures what is on the disk.
"""

import hashlib
import posixpath
import re
import stat
from collections.abc import Iterable, Iterator

from nova_vhard.common.text import clean, quote
from nova_vhard.host.command import Failed, output
from nova_vhard.host.root import HostRoot, Unreadable
from nova_vhard.osc.output import unreadable

#: Prefixes of the names of packages that run guests.
PREFIXES = ("qemu-", "libvirt")

#: Files of a policy, and bytes of a file and of a package's list.
_MOST = 500_000
_SIZE = 4 << 30
_LIST = 64 << 20
_DEPTH = 40
_SECONDS = 60.0
_CHUNK = 1 << 20

_DPKG = "/var/lib/dpkg/info"
_RPM = ("/usr/lib/sysimage/rpm", "/var/lib/rpm")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,199}")


class NotMeasured(Exception):
    """Raised where no policy can be made: place, cause and fix."""


class Packages:
    """The packages of a host.

    :param root: the host's
    :raises NotMeasured: if there is no database that is known
    """

    def __init__(self, root: HostRoot) -> None:
        """Read which packages there are."""
        self._root = root
        self._lists: dict[str, list[str]] = {}
        self._rpm = ""
        if _is_there(root, _DPKG):
            self._read_debians()
            return
        for place in _RPM:
            if _is_there(root, place):
                self._rpm = posixpath.join(root.root, place[1:])
                for name in self._ask("-qa", "--qf", "%{NAME}\\n"):
                    self._lists[name] = []
                return
        raise NotMeasured(
            f"{root.root} has neither {_DPKG} nor {' or '.join(_RPM)}: it is "
            "no host, or of another distribution; name files by --folder"
        )

    def _read_debians(self) -> None:
        """Note the lists of Debian's packages."""
        for name in self._root.names(_DPKG):
            if name.endswith(".list"):
                package = name.removesuffix(".list").partition(":")[0]
                place = posixpath.join(_DPKG, name)
                self._lists.setdefault(package, []).append(place)

    def guests(self) -> list[str]:
        """Return the packages that guests are run by.

        :raises NotMeasured: if none is QEMU's
        """
        names = [name for name in self._lists if name.startswith(PREFIXES)]
        if not any(name.startswith(PREFIXES[0]) for name in names):
            raise NotMeasured(
                f"no package of {self._root.root} begins with {PREFIXES[0]}: "
                "name those that guests are run by with --package"
            )
        return sorted(names)

    def files(self, name: str) -> Iterator[str]:
        """Yield the paths of a package, folders among them.

        :raises NotMeasured: if there is no such package
        """
        if not _NAME.fullmatch(name) or name not in self._lists:
            text = f"package {quote(name)} is not installed"
            raise NotMeasured(f"{text} in {self._root.root}")
        if self._rpm:
            yield from self._ask("-ql", name)
        for place in self._lists[name]:
            yield from _lines(self._root, place)

    def _ask(self, *words: str) -> list[str]:
        """Return the lines that rpm prints.

        :raises NotMeasured: without an answer
        """
        command = ("/usr/bin/rpm", "--dbpath", self._rpm, *words)
        try:
            return output(command, _SECONDS).splitlines()
        except (Failed, OSError) as error:
            text = f"rpm --dbpath {self._rpm}: {clean(error, 300)}"
            raise NotMeasured(text) from error


def _is_there(root: HostRoot, path: str) -> bool:
    """Return whether there is a folder that can be listed.

    :raises NotMeasured: if that cannot be told
    """
    try:
        return bool(root.names(path, missing_ok=True))
    except Unreadable as error:
        raise NotMeasured(_why(root, error)) from error


def _lines(root: HostRoot, path: str) -> list[str]:
    """Return the lines of a file.

    :raises NotMeasured: if it cannot be read, or is too long
    """
    try:
        with root.open(path) as file:
            content = file.read(_LIST + 1)
    except (Unreadable, OSError) as error:
        raise NotMeasured(_why(root, error, path)) from error
    if len(content) > _LIST:
        raise NotMeasured(f"{path} has more than {_LIST} bytes")
    return content.decode(errors="surrogateescape").splitlines()


def _why(root: HostRoot, error: Unreadable | OSError, path: str = "") -> str:
    """Say which file of a host cannot be read, and why.

    :param path: of the file, where the error does not say it
    """
    if isinstance(error, OSError):
        return unreadable(f"{root.root}: {path}", error)
    return f"{root.root}: {error.path}: cannot be read: {error.why}"


def below(root: HostRoot, folder: str) -> Iterator[str]:
    """Yield the paths of what is in a folder; of a file its own.

    No link is gone along, but what one leads to is a file of the folder's.

    :param folder: absolute path on the host
    :raises NotMeasured: if there is none, or it is too deep
    """
    waiting = [(folder, 0)]
    while waiting:
        path, depth = waiting.pop()
        if depth > _DEPTH:
            raise NotMeasured(f"{folder} has more than {_DEPTH} levels")
        try:
            if depth and root.target(path) is not None:
                yield path
            elif stat.S_ISDIR(root.stat(path).st_mode):
                names = root.names(path)
                inner = [posixpath.join(path, name) for name in names]
                waiting += [(item, depth + 1) for item in inner]
            else:
                yield path
        except Unreadable as error:
            fix = "" if depth else "; name what is there by --folder"
            raise NotMeasured(f"{_why(root, error)}{fix}") from error


def digests(
    root: HostRoot, paths: Iterable[str], algorithm: str
) -> tuple[dict[str, list[str]], int]:
    """Return the digests of files, by the paths that IMA has them by.

    :param paths: absolute ones on the host; what is no plain file is left
        out, and a link stands for what it leads to
    :param algorithm: as hashlib names it
    :returns: real path to its digest, and how many paths lead nowhere
    :raises NotMeasured: if a file cannot be read, or there are too many
    """
    result: dict[str, list[str]] = {}
    missing = 0
    for path in paths:
        try:
            real = root.real(path)
            if real in result or not stat.S_ISREG(root.stat(real).st_mode):
                continue
            result[real] = [_digest(root, real, algorithm)]
        except Unreadable as error:
            if not error.missing:
                raise NotMeasured(_why(root, error)) from error
            missing += 1
        if len(result) > _MOST:
            raise NotMeasured(f"there are more than {_MOST} files")
    return dict(sorted(result.items())), missing


def _digest(root: HostRoot, path: str, algorithm: str) -> str:
    """Return the digest of a file.

    :raises NotMeasured: if it cannot be read, or is too long
    """
    state = hashlib.new(algorithm)
    size = 0
    try:
        with root.open(path) as file:
            while chunk := file.read(_CHUNK):
                size += len(chunk)
                state.update(chunk)
                if size > _SIZE:
                    raise NotMeasured(f"{path} has more than {_SIZE} bytes")
    except OSError as error:
        raise NotMeasured(_why(root, error, path)) from error
    return state.hexdigest()
