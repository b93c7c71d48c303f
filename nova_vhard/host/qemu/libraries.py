# SPDX-License-Identifier: Apache-2.0
"""The libraries that the loader loads with a binary.

They are looked for where ld.so(8) looks: DT_RPATH or DT_RUNPATH, the cache
that ldconfig wrote, the usual folders. What /etc/ld.so.preload names is loaded
with each of them, if it is there. What LD_LIBRARY_PATH of libvirt's
daemon adds is not seen.
"""

import contextlib
import posixpath
import re
import struct
from collections.abc import Callable, Iterator
from functools import cached_property

from nova_vhard.host.qemu.elf import ElfFacts
from nova_vhard.host.root import HostRoot, Unreadable, unreadable

_CACHE = "/etc/ld.so.cache"
_PRELOAD = "/etc/ld.so.preload"
_COMMENT, _NAMES = re.compile(r"#.*"), re.compile(r"[^\s:]+")
_LIB = re.compile(r"\$LIB\b|\$\{LIB\}")
# glibc's format since 2.2; ldconfig of 2.32 and later writes it alone. An
# older file begins with "ld.so-1.7.0", and the usual folders are left.
_MAGIC = b"glibc-ld.so.cache1.1"
# sizeof(struct cache_file_new), and file_entry_new: flags, key, value,
# osversion, hwcap. Key and value are offsets from the file's start.
_HEADER, _ENTRY = 48, struct.Struct("<iIIIQ")
_MAX_CACHE, _MAX_ENTRIES = 8 << 20, 100_000
# Debian's QEMU loads some 50 libraries.
_MAX_LIBRARIES, _MAX_PRELOADED = 2000, 64

# Fedora and SUSE have lib64, Debian lib with a folder for each machine
# (_usual()). /usr/local/lib is in Debian's ld.so.conf.d.
_FOLDERS = ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")

#: Returns what a file was built with.
Examine = Callable[[HostRoot, str], ElfFacts]


class Loader:
    """Finds libraries below one root, as its loader would.

    :param examine: of a file; an Unreadable counts as an answer
    """

    def __init__(self, root: HostRoot, examine: Examine) -> None:
        """Read the loader's cache."""
        self._root = root
        self._examine = examine
        self._cached = _cache(root)
        self._usual = _usual(root)

    @cached_property
    def _preloaded(self) -> list[str]:
        """Return the libraries that are preloaded into every program.

        :raises Unreadable: if the list exists but cannot be read
        """
        # It is missing on most hosts, which is a fact and not an error.
        text = self._root.maybe(_PRELOAD) or ""
        # As glibc's rtld.c reads it: white space or colons between the names,
        # comments from #.
        result = _NAMES.findall(_COMMENT.sub("", text))
        if len(result) > _MAX_PRELOADED:
            raise unreadable(_PRELOAD, "names more than any host loads")
        return result

    def loaded(
        self, path: str, facts: ElfFacts
    ) -> Iterator[tuple[str, ElfFacts | Unreadable]]:
        """Yield each library that is loaded with a binary, directly or not.

        :returns: path and facts; or why it cannot be found or read
        """
        # By name: the loader loads a name once, for the first that asks.
        seen: set[str] = set()
        waiting = [(path, facts, name) for name in facts.needed]
        try:
            # The loader takes these first, leaves out those that are not
            # there, and takes none for a static binary.
            waiting += [
                (path, facts, name)
                for name in (self._preloaded if facts.needed else ())
                if any(
                    map(
                        self._root.exists,
                        self._candidates(path, facts, name),
                    )
                )
            ]
        except Unreadable as error:
            # The answer is UNKNOWN then; a library below can still make it
            # FAIL.
            yield _PRELOAD, error
        while waiting and len(seen) < _MAX_LIBRARIES:
            # The owner goes with the name: DT_RUNPATH and $ORIGIN are those of
            # the file that needs the library.
            owner, of_owner, name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            try:
                library, result = self._find(owner, of_owner, name)
            except Unreadable as error:
                yield name, error
                continue
            yield library, result
            waiting += [(library, result, each) for each in result.needed]

    def _find(
        self, owner: str, facts: ElfFacts, name: str
    ) -> tuple[str, ElfFacts]:
        """Return the first library of a name that fits its owner.

        :raises Unreadable: if there is none, or it cannot be read
        """
        for path in self._candidates(owner, facts, name):
            if not self._root.exists(path):
                continue
            result = self._examine(self._root, path)
            # As ld.so does: it passes over a library of another machine or
            # width and looks further, as on a host with lib of 32 bits.
            if result.machine == facts.machine:
                return path, result
        # Not skipped: a library that is not found may be the one with an
        # executable stack.
        raise unreadable(
            owner,
            f"its library {name[:64]} is not found",
            "Give the reporter access to the host's libraries and "
            "/etc/ld.so.cache, below the same root as the emulator.",
        )

    def _candidates(
        self, owner: str, facts: ElfFacts, name: str
    ) -> Iterator[str]:
        if "/" in name:
            # Any folder of libraries, as the loader was built for.
            # "/$LIB/x.so": which folder $LIB is was decided when ld.so was
            # built, and the file does not say.
            below = (each.removeprefix("/usr") for each in self._usual)
            for folder in dict.fromkeys(below):
                yield folder.lstrip("/").join(_LIB.split(name))
            return
        # ld.so(8): the folder of the file that needs it, not of the emulator.
        origin = posixpath.dirname(owner)
        for folder in facts.search:
            plain = folder.replace("$ORIGIN", origin)
            yield f"{plain.replace('${ORIGIN}', origin)}/{name}"
        # Behind the folders of the binary, before the usual ones: the order of
        # ld.so(8).
        yield from self._cached.get(name, ())
        for folder in self._usual:
            yield f"{folder}/{name}"


def _usual(root: HostRoot) -> list[str]:
    """Return the folders without a cache, Debian's for each machine too."""
    result = list(_FOLDERS)
    for folder in ("/lib", "/usr/lib"):
        # One may be missing or out of sight: what is nowhere fails in _find().
        with contextlib.suppress(Unreadable):
            result += [
                f"{folder}/{name}"
                for name in root.names(folder)
                if "-linux-" in name
            ]
    return result


def _cache(root: HostRoot) -> dict[str, list[str]]:
    """Return the names in the loader's cache with the paths of each.

    Source: ``struct cache_file_new`` in glibc's sysdeps/generic/dl-cache.h.
    A cache that is not there, or of another order of bytes, has none.
    """
    try:
        with root.open(_CACHE) as file:
            content = file.read(_MAX_CACHE)
    # Without it the usual folders are searched; what is nowhere raises
    # Unreadable in _find().
    except (Unreadable, OSError):
        return {}
    if not content.startswith(_MAGIC) or len(content) < _HEADER:
        return {}
    (count,) = struct.unpack_from("<I", content, len(_MAGIC))
    result: dict[str, list[str]] = {}
    for number in range(min(count, _MAX_ENTRIES)):
        place = _HEADER + number * _ENTRY.size
        # Cut off at the limit or by a full disk: half a cache would find half
        # the libraries, and another one of some.
        if place + _ENTRY.size > len(content):
            return {}
        _, key, value, _, _ = _ENTRY.unpack_from(content, place)
        name, path = _text(content, key), _text(content, value)
        # A name is there for each machine and each level of its processor
        # (glibc-hwcaps); _find() takes the first that fits.
        result.setdefault(name, []).append(path)
    return result


def _text(content: bytes, place: int) -> str:
    return content[place : content.find(b"\0", place)].decode(
        "utf-8", "replace"
    )
