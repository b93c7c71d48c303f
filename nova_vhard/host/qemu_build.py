# SPDX-License-Identifier: Apache-2.0
"""How QEMU's binaries were built: one property asked of all of them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from posixpath import dirname
from typing import Any

from nova_vhard.host import qemu
from nova_vhard.host.cache import Cache, identity
from nova_vhard.host.check import Answer, Status
from nova_vhard.host.elf import ElfFacts, Kind, Relro, examine
from nova_vhard.host.host import Host
from nova_vhard.host.root import Unreadable

_CACHE = "elf"
_VERSION = 2


@dataclass(frozen=True)
class Property:
    """What a check asks of each binary.

    :ivar name: what a good binary has, ``full RELRO``
    :ivar has: whether a binary has it; None if that cannot be told
    :ivar shown: what was read of it, for the evidence
    :ivar modules: whether modules are asked too. One of which it cannot be
        told then is no fault: it may have nothing to protect
    """

    name: str
    has: Callable[[ElfFacts], bool | None]
    shown: Callable[[ElfFacts], str]
    modules: bool = True


@dataclass(frozen=True)
class Binary:
    """A file of QEMU's.

    :ivar module: whether it is a module, else an emulator
    :ivar facts: what it was built with; None if that cannot be read
    :ivar error: why it cannot, with the path
    """

    path: str
    module: bool
    facts: ElfFacts | None = None
    error: str = ""


def judge(host: Host, evidence: list[str], asked: Property) -> Answer:
    """Ask a property of every emulator and every module.

    A binary without it is a FAIL whether or not the others can be read.

    :param evidence: to be filled
    :raises Unreadable: if it cannot be told where emulators are
    """
    named = qemu.emulators(host)
    listed = ", ".join(named.paths) or "none"
    source = "found without libvirt" if named.doubt else "named by libvirt"
    evidence.append(f"emulators {source}: {listed}")
    found = [
        one
        for one in examined(host, named.paths)
        if asked.modules or not one.module
    ]
    without, untold, good = _sorted(found, asked)
    evidence += [*without, *untold, *good, *_counted(found, asked)]
    if without:
        text = f"{len(without)} of QEMU's binaries without {asked.name}"
        return Answer(Status.FAIL, text)
    if named.doubt:
        return Answer(Status.UNKNOWN, named.doubt)
    if untold:
        text = f"{asked.name}: cannot be told of all of QEMU's binaries"
        return Answer(Status.UNKNOWN, text)
    if not named.paths:
        return Answer(Status.NOT_APPLICABLE, "libvirt would start no emulator")
    return Answer(Status.PASS, f"{asked.name}: every emulator")


def examined(host: Host, paths: tuple[str, ...]) -> list[Binary]:
    """Return emulators and their modules with what they were built with.

    A file that is as it was in an earlier round is not opened again.
    """
    cache = Cache(host.state_dir, _CACHE, _VERSION)
    found = [_examined(host, cache, path, module=False) for path in paths]
    try:
        modules = qemu.modules(host.root, paths)
        found += [_examined(host, cache, one, module=True) for one in modules]
    except Unreadable as error:
        found.append(Binary(error.path, module=True, error=str(error)))
    cache.save()
    return found


def _examined(host: Host, cache: Cache, path: str, module: bool) -> Binary:
    try:
        return Binary(path, module, _facts(host, cache, path))
    except Unreadable as error:
        return Binary(path, module, error=str(error))


def _sorted(
    found: list[Binary], asked: Property
) -> tuple[list[str], list[str], list[str]]:
    """Return lines on what has it not, cannot be told of, and has it."""
    without: list[str] = []
    untold: list[str] = []
    good: list[str] = []
    for one in found:
        if one.facts is None:
            untold.append(one.error)
            continue
        line = f"{one.path}: {asked.shown(one.facts)}"
        has = asked.has(one.facts)
        if has is False:
            without.append(line)
        elif not one.module:
            (good if has else untold).append(line)
    return without, untold, good


def _counted(found: list[Binary], asked: Property) -> list[str]:
    """Return a line on each folder of modules."""
    folders: dict[str, list[bool]] = {}
    for one in found:
        if one.module and one.facts is not None:
            seen = asked.has(one.facts) is True
            folders.setdefault(dirname(one.path), []).append(seen)
    return [
        f"{folder}/*.so: {asked.name} seen in {sum(seen)} of {len(seen)}"
        for folder, seen in folders.items()
    ]


def _facts(host: Host, cache: Cache, path: str) -> ElfFacts:
    """Return what a binary was built with, read only if it is new.

    :raises Unreadable: if it cannot be told
    """
    known = _of_json(cache.get(identity(host.root.stat(path))))
    if known is not None:
        return known
    opened, facts = examine(host.root, path)
    cache.put(identity(opened), asdict(facts))
    return facts


def _of_json(value: Any) -> ElfFacts | None:
    """Return facts that were kept; None for anything else."""
    try:
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
    surely = (facts.nx, facts.stripped, facts.setuid, facts.setgid)
    maybe = (facts.canary, facts.fortify)
    good = all(type(one) is bool for one in surely) and all(
        one is None or type(one) is bool for one in maybe
    )
    return facts if good else None
