# SPDX-License-Identifier: Apache-2.0
"""Does a guest hold a device: what the host itself says.

Two sources here, libvirt's domains and the open files of VFIO; Placement's
allocations are the third (nova_vhard/placement/devices.py). What cannot be
read counts as held.

Sources: Documentation/driver-api/vfio.rst in the kernel, "VFIO Usage
Example" and "IOMMUFD and VFIO cdev".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nova_vhard.host import guests, pci
from nova_vhard.host.libvirt import Libvirt
from nova_vhard.host.root import HostRoot, Unreadable

_VIRTUAL_FUNCTION = re.compile(r"virtfn\d+")
# A mediated device is a folder below its parent's, named by a uuid.
_MEDIATED = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Usage:
    """Who holds a device.

    :ivar held: what says that it is held, in the host's words
    :ivar unknown: why it cannot be told
    :ivar guests: uuids of the guests that libvirt gave it to
    """

    held: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    guests: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return whether the device must be taken for held."""
        return bool(self.held or self.unknown)

    def __str__(self) -> str:
        """Say why."""
        return "; ".join(self.held + self.unknown)


#: Nobody has it, and that is known.
NOBODY = Usage()


def look(root: HostRoot, libvirt: Libvirt, address: str) -> Usage:
    """Look now who holds a device, or a part of it.

    Parts are its virtual functions and its mediated devices.
    """
    held: list[str] = []
    unknown: list[str] = []
    owners: list[str] = []
    try:
        functions = {address, *_functions(root, address)}
        for domain in libvirt.running():
            if functions & set(domain.pci):
                owners.append(domain.uuid)
                held.append(f"libvirt: domain {domain.uuid} has {address}")
            elif "" in domain.pci:
                text = "has a host device without an address"
                unknown.append(f"libvirt: domain {domain.uuid} {text}")
    except Unreadable as error:
        unknown.append(str(error))
    try:
        held += _opened(root, address)
        if not guests.complete(root):
            unknown.append("/proc: not all processes of the host are seen")
    except Unreadable as error:
        unknown.append(str(error))
    return Usage(tuple(held), tuple(unknown), tuple(owners))


def _functions(root: HostRoot, address: str) -> Iterator[str]:
    """Yield the addresses of a device's virtual functions."""
    for name in root.names(pci.path(address)):
        if _VIRTUAL_FUNCTION.fullmatch(name):
            function = root.link(f"{pci.path(address)}/{name}")
            if function:
                yield function


def _opened(root: HostRoot, address: str) -> list[str]:
    """Return which process has a file of VFIO open that leads to a device."""
    files = set()
    for place in _places(root, address):
        files |= set(_files(root, place))
    holders = []
    for pid in root.names(guests.PROC):
        if pid.isdecimal():
            holders += [
                f"{guests.PROC}/{pid}/fd: {target}"
                for target in _targets(root, pid)
                # A guest may have a /dev of its own: only the end is alike.
                if target.endswith(tuple(files))
            ]
    return holders


def _places(root: HostRoot, address: str) -> Iterator[str]:
    """Yield the folders of a device and of all its parts."""
    for function in (address, *_functions(root, address)):
        place = pci.path(function)
        yield place
        for name in root.names(place, missing_ok=True):
            if _MEDIATED.fullmatch(name):
                yield f"{place}/{name}"


def _files(root: HostRoot, place: str) -> Iterator[str]:
    """Yield the ends of the paths of a device's files in /dev/vfio.

    :param place: the device's folder
    """
    group = root.link(f"{place}/iommu_group")
    if group:
        yield f"/vfio/{group}"
        yield f"/vfio/noiommu-{group}"
    try:
        for name in root.names(f"{place}/vfio-dev"):
            yield f"/vfio/devices/{name}"
            yield f"/vfio/devices/noiommu-{name}"
    except Unreadable as error:
        if not error.missing:
            raise


def _targets(root: HostRoot, pid: str) -> Iterator[str]:
    """Yield what a process has open; nothing for one that ended."""
    place = f"{guests.PROC}/{pid}"
    try:
        for number in root.names(f"{place}/fd"):
            yield root.target(f"{place}/fd/{number}") or ""
    except Unreadable as error:
        if not error.missing or root.exists(place):
            raise
