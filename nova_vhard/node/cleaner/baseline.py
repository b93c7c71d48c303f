# SPDX-License-Identifier: Apache-2.0
"""The good state of a device: enrolled once, compared after each use."""

import functools
import json
import os
from dataclasses import asdict, dataclass
from typing import Any

from nova_vhard.common import files, state
from nova_vhard.host import pci
from nova_vhard.host.root import HostRoot, Unreadable, unreadable
from nova_vhard.node.cleaner import (
    config,
    rom,
    sysfs,
)

VERSION = 1

#: Baseline.rom of a device with a ROM that could not be read.
UNREAD = ""

# Files of a device's folder that say what it is.
_IDENTITY = (
    "vendor",
    "device",
    "subsystem_vendor",
    "subsystem_device",
    "class",
    "revision",
)
# Lines of ``resource``: six base addresses and the ROM.
_REGIONS = 7


class BaselineError(Exception):
    """A kept good state cannot be used."""


@dataclass(frozen=True)
class Baseline:
    """What a device was like when somebody said that it is good.

    :ivar identity: files of its folder in sysfs (vendor, device, class, …)
        with their content, and the sizes of its regions
    :ivar config: its whole configuration space, as it was read
    :ivar rom: SHA-256 of its option ROM in hexadecimal, None for no ROM,
        empty for one that could not be read
    :ivar when: ISO 8601, UTC
    :ivar by: who enrolled it
    """

    address: str
    identity: tuple[tuple[str, str], ...]
    config: bytes
    rom: str | None
    when: str
    by: str

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        plain = {**asdict(self), "config": self.config.hex()}
        return {"version": VERSION, **plain}


def parse(data: Any) -> Baseline:
    """Return a good state out of plain data.

    :raises ValueError, LookupError, TypeError: if it is not one that this
        version wrote
    """
    fields = dict(data)
    if fields.pop("version") != VERSION:
        raise ValueError("of another version")
    fields["config"] = bytes.fromhex(fields["config"])
    fields["identity"] = tuple(
        (str(name), str(value)) for name, value in fields["identity"]
    )
    good = Baseline(**fields)
    texts = (good.address, good.when, good.by)
    if len(good.config) not in config.SIZES or not (
        all(isinstance(text, str) for text in texts)
        and isinstance(good.rom, str | None)
    ):
        raise ValueError("a field is of the wrong kind")
    return good


def record(
    root: HostRoot, address: str, when: str, by: str, write: Any = None
) -> Baseline:
    """Read what a device is like now.

    It can hang, as a device can: see isolated.py.

    :param write: writes a text to a file of the host; below the root where
        none is given
    :raises Unreadable: if anything but the ROM cannot be read
    """
    write = write or functools.partial(sysfs.write, root)
    try:
        digest = rom.digest(root, write, address)
    except Unreadable:
        digest = UNREAD
    return Baseline(
        address=address,
        identity=identity(root, address),
        config=config.read(root, address),
        rom=digest,
        when=when,
        by=by,
    )


def identity(root: HostRoot, address: str) -> tuple[tuple[str, str], ...]:
    """Return what the kernel says that a device is.

    :raises Unreadable: if it does not say it
    """
    folder = pci.path(address)
    fields = [(name, root.read(f"{folder}/{name}")) for name in _IDENTITY]
    return (*fields, *_regions(root, f"{folder}/resource"))


def _regions(root: HostRoot, where: str) -> list[tuple[str, str]]:
    """Return the sizes of a device's regions, where the kernel tells them.

    A line is ``start end flags``; a region that is not there has zeros.
    """
    try:
        lines = root.read(where).splitlines()[:_REGIONS]
    except Unreadable as error:
        if error.missing:
            return []
        raise
    sizes = []
    for number, line in enumerate(lines):
        try:
            start, end = (int(digits, 16) for digits in line.split()[:2])
        except ValueError as error:
            raise unreadable(where, f"{line[:64]!r} is no region") from error
        size = end - start + 1 if end else 0
        sizes.append((f"region {number}", f"{size} bytes"))
    return sizes


def identity_differences(good: Baseline, root: HostRoot) -> list[str]:
    """Return in words what a device says of itself that it did not say.

    :raises Unreadable: if it cannot be read now
    """
    before, now = dict(good.identity), dict(identity(root, good.address))
    return [
        f"{name}: enrolled {before.get(name, 'nothing')}, "
        f"now {now.get(name, 'nothing')}"
        for name in (*before, *(name for name in now if name not in before))
        if before.get(name) != now.get(name)
    ]


def path(folder: str, address: str) -> str:
    """Return where a device's good state is kept.

    :param folder: ``devices`` below the state path
    """
    return os.path.join(folder, f"{address}.good.json")


def save(folder: str, good: Baseline) -> None:
    """Keep a good state in place of an earlier one.

    :raises OSError: if that cannot be; the earlier one is untouched
    """
    text = json.dumps(good.as_json(), indent=2)
    files.replace(path(folder, good.address), text + "\n")


def load(folder: str, address: str) -> Baseline | None:
    """Return a device's good state, None for a device not enrolled.

    :raises OSError: if it cannot be read
    :raises BaselineError: if it is damaged
    """
    where = path(folder, address)
    try:
        good = state.read(where, parse)
    except ValueError as error:
        state.set_aside(where)
        raise BaselineError(f"{where}: {error}") from error
    if good and good.address != address:
        raise BaselineError(f"{where}: of another device")
    return good
