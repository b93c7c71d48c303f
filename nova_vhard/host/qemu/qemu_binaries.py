# SPDX-License-Identifier: Apache-2.0
"""How QEMU's binaries were built: one property asked of all of them."""

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from posixpath import dirname
from typing import Any

from nova_vhard.host import prestep
from nova_vhard.host.cache import Cache, identity
from nova_vhard.host.check import (
    Answer,
    failed,
    not_applicable,
    passed,
    unknown,
    unread,
)
from nova_vhard.host.guests import DELETED, PROC, Guest
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt.running import Target
from nova_vhard.host.qemu import container_binaries, qemu
from nova_vhard.host.qemu.elf import ElfFacts, Kind, Relro, examine, page_size
from nova_vhard.host.qemu.libraries import Loader
from nova_vhard.host.root import HostRoot, Unreadable

_CACHE = "elf"
# Of what the cache keeps: raise it when ElfFacts or their meaning change.
_VERSION = 3


class Kept(enum.StrEnum):
    """Role of a file in QEMU."""

    EMULATOR = "emulator"
    MODULE = "module"
    LIBRARY = "library"


@dataclass(frozen=True)
class Property:
    """Build property that a check requires of each binary.

    :ivar name: property of a good binary, ``full RELRO``
    :ivar has: whether a binary has it; None if unknown
    :ivar shown: the value that was read, for the evidence
    :ivar kinds: which files are checked. Only an emulator must have it:
        another file may have nothing to protect
    """

    name: str
    has: Callable[[ElfFacts], bool | None]
    shown: Callable[[ElfFacts], str]
    kinds: tuple[Kept, ...] = (Kept.EMULATOR, Kept.MODULE)


@dataclass(frozen=True)
class Binary:
    """A file that belongs to QEMU.

    :ivar label: its path, and its owner where that matters
    :ivar facts: its build properties; None if they cannot be read
    :ivar error: why they cannot be read, with the path
    """

    label: str
    kind: Kept
    facts: ElfFacts | None = None
    error: Unreadable | None = None


def judge(host: Host, asked: Property) -> Answer:
    """Ask a property of every emulator and of all that it loads.

    A binary without it is a FAIL whether or not the others can be read.

    :raises Unreadable: if it cannot be told where emulators are
    """
    named, every = examined(host)
    listed = ", ".join(each.label for each in named.targets) or "none"
    host.root.note(f"emulators {named.source}: {listed}")
    binaries = [each for each in every if each.kind in asked.kinds]
    without: list[str] = []
    untold: list[str] = []
    good: list[str] = []
    for each in binaries:
        if each.error:
            untold.append(str(each.error))
        if each.facts is None:
            continue
        line = f"{each.label}: {asked.shown(each.facts)}"
        has = asked.has(each.facts)
        # None does not fail: a module may need no canary in any function.
        if has is False:
            without.append(line)
        # For a module or a library None is fine: see Property.kinds.
        elif each.kind is Kept.EMULATOR:
            (good if has else untold).append(line)
    if Kept.LIBRARY in asked.kinds:
        _add_stacks(host, named.guests, without, untold)
    host.root.note(
        *without,
        *untold,
        *(answer.reason for answer in named.doubts[1:]),
        *good,
        *_counted(binaries, asked),
    )
    # Before the doubts: a bad binary is a FAIL, even if others are unknown.
    if without:
        return failed(
            f"{len(without)} of QEMU's binaries without {asked.name}"
        )
    if named.doubts:
        return named.doubts[0]
    text = f"{asked.name}: cannot be determined for all of QEMU's binaries"
    errors = [each.error for each in binaries if each.error]
    if errors:
        return unread(errors[0])._replace(reason=text)
    if untold:
        return unknown(
            text,
            "Install your distribution's QEMU, dynamically linked and with "
            "section headers: the binaries in the evidence do not contain "
            "the information.",
        )
    if not named.targets:
        return not_applicable("libvirt has no emulator to start")
    return passed(f"{asked.name}: every emulator")


def examined(host: Host) -> tuple[qemu.Emulators, list[Binary]]:
    """Return the emulators of a host, and all of their files.

    The checks that ask a property of them follow one another, and the first
    of them finds out for all. Where there is a doubt, the next one tries
    again.

    :raises Unreadable: if it cannot be told where emulators are
    """
    known: tuple[qemu.Emulators, list[Binary]] | None
    known = host.shared.get(_CACHE)
    if known is None:
        named = qemu.emulators(host)
        known = named, list(Examination(host).of(named.targets))
        # With a doubt, a later check may be luckier: libvirt may answer again.
        if not named.doubts:
            host.shared[_CACHE] = known
    return known


class Examination:
    """Reads what binaries were built with, each once.

    A file that is as it was in an earlier round is not opened again.

    :param host: whose
    """

    def __init__(self, host: Host) -> None:
        """Load what was found in earlier rounds."""
        self._host = host
        self._cache = Cache(host.state_dir, _CACHE, _VERSION)
        # By root: a container has libraries and a cache of its own.
        self._loaders: dict[str, Loader] = {}
        self._pages: dict[str, int] = {}

    def of(self, targets: Sequence[Target]) -> Iterator[Binary]:
        """Yield the emulators, their modules, and the libraries of both."""
        # Root and path: the same path in a container is another file.
        seen: set[tuple[str, str]] = set()
        for target in targets:
            if target.place:
                yield from self._left(target)
                continue
            for label, kind, path in self._files(target):
                if (target.root.root, path) in seen:
                    continue
                seen.add((target.root.root, path))
                binary = self._binary(label, kind, target.root, path)
                yield binary
                # Of a program that was replaced nobody knows which libraries
                # it has loaded: today's files may be others.
                if binary.facts and not target.replaced:
                    root = target.root
                    if root.root not in self._loaders:
                        self._loaders[root.root] = Loader(root, self._facts)
                    for library, result in self._loaders[root.root].loaded(
                        path, binary.facts
                    ):
                        if (root.root, library) in seen:
                            continue
                        seen.add((root.root, library))
                        if isinstance(result, Unreadable):
                            yield Binary(library, Kept.LIBRARY, error=result)
                        else:
                            yield Binary(library, Kept.LIBRARY, result)
        self._cache.save()

    def _left(self, target: Target) -> Iterator[Binary]:
        """Yield what the pre-step found of one that is out of sight."""
        try:
            result = container_binaries.of_target(self._host, target)
        except Unreadable as error:
            yield Binary(target.label, Kept.EMULATOR, error=error)
            return
        for each in result:
            yield _of_prestep(target, each)

    def _files(self, target: Target) -> Iterator[tuple[str, Kept, str]]:
        yield target.label, Kept.EMULATOR, target.path
        # The modules of a program that was replaced are unknown, like its
        # libraries.
        if target.replaced:
            return
        try:
            paths = qemu.modules(target)
        except Unreadable as error:
            # It is opened again, and says why it cannot be read.
            paths = [error.path]
        for path in paths:
            yield path, Kept.MODULE, path

    def _binary(
        self, label: str, kind: Kept, root: HostRoot, path: str
    ) -> Binary:
        try:
            return Binary(label, kind, self._facts(root, path))
        except Unreadable as error:
            return Binary(label, kind, error=error)

    def _facts(self, root: HostRoot, path: str) -> ElfFacts:
        """Return what a binary was built with, read only if it is new.

        :raises Unreadable: if it cannot be told
        """
        page = self._pages.get(root.root)
        if page is None:
            page = self._pages[root.root] = page_size(root)
        # The size of a page is in the key: RELRO depends on it, and a captured
        # tree may be of another kernel.
        key = f"{page}:{identity(root.stat(path))}"
        known = _of_json(self._cache.get(key))
        if known is not None:
            return known
        # Kept by what was opened: the path may have been replaced since
        # stat(2).
        opened, facts = examine(root, path, page)
        self._cache.put(f"{page}:{identity(opened)}", asdict(facts))
        return facts


def _of_prestep(target: Target, fields: Mapping[str, Any]) -> Binary:
    label = str(fields.get("label"))
    try:
        # What is not understood counts as an emulator: of that most is
        # required.
        kind = Kept(str(fields.get("kind")))
    except ValueError:
        kind = Kept.EMULATOR
    facts = _of_json(fields.get("facts"))
    if facts:
        return Binary(label, kind, facts)
    error = prestep.invalid(target.label, str(fields.get("error")))
    return Binary(label, kind, error=error)


def as_json(binary: Binary) -> dict[str, Any]:
    """Return what the pre-step leaves of a file."""
    return {
        "label": binary.label,
        "kind": binary.kind.value,
        "facts": asdict(binary.facts) if binary.facts else None,
        "error": str(binary.error) if binary.error else None,
    }


def _add_stacks(
    host: Host,
    running: Sequence[Guest],
    without: list[str],
    untold: list[str],
) -> None:
    """Add the guests that the kernel shows with an executable stack.

    Only root can read it. For a program that was replaced, nothing else shows
    whether its libraries made the stack executable.
    """
    for guest in running:
        # One library that asks for it makes the stack of the whole process
        # executable when it is loaded, also by a later dlopen(3).
        path = f"{PROC}/{guest.pid}/maps"
        try:
            stacks = [
                line for line in host.root.lines(path) if "[stack]" in line
            ]
        except Unreadable as error:
            # Otherwise its libraries were examined as files.
            if guest.program.endswith(DELETED):
                untold.append(str(error))
            continue
        without += [
            f"{path}: {line}" for line in stacks if "x" in line.split()[1]
        ]


def _counted(entries: list[Binary], asked: Property) -> list[str]:
    """Return a line on each folder of modules, and on the libraries."""
    folders: dict[str, list[bool]] = {}
    for each in entries:
        if each.kind is Kept.EMULATOR or each.facts is None:
            continue
        module = each.kind is Kept.MODULE
        where = f"{dirname(each.label)}/*.so" if module else "libraries"
        folders.setdefault(where, []).append(asked.has(each.facts) is True)
    return [
        f"{where}: {asked.name} seen in {sum(seen)} of {len(seen)}"
        for where, seen in folders.items()
    ]


def _of_json(value: Any) -> ElfFacts | None:
    """Return facts that were kept; None for anything else."""
    try:
        # A cache file or the pre-step's may be damaged or of another version:
        # "no" as a text would be true.
        given = value["capabilities"]
        relro = value["relro"] and Relro(value["relro"])
        facts = ElfFacts(
            **{
                **value,
                "kind": Kind(value["kind"]),
                "relro": relro,
                "needed": tuple(value["needed"]),
                "search": tuple(value["search"]),
            }
        )
    except (TypeError, ValueError, KeyError):
        return None
    surely = (facts.nx, facts.stripped, facts.setuid, facts.setgid, given)
    maybe = (facts.canary, facts.fortify)
    good = all(type(item) is bool for item in surely) and all(
        item is None or type(item) is bool for item in maybe
    )
    return facts if good else None
