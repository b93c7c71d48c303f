# SPDX-License-Identifier: Apache-2.0
"""Does a guest hold a device: what the host itself says.

Two sources here, libvirt's domains and the open files of VFIO; Placement's
allocations are the third (nova_vhard/placement/devices.py). What cannot be
read counts as held.

Sources: Documentation/driver-api/vfio.rst in the kernel, "VFIO Usage
Example" and "IOMMUFD and VFIO cdev".
"""

import ctypes
import errno
import os
import re
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from nova_vhard.host import guests
from nova_vhard.host.libvirt.libvirt import Libvirt
from nova_vhard.host.pci import pci
from nova_vhard.host.root import HostRoot, Unreadable, unreadable

# linux/fcntl.h, linux/stat.h
_AT_FDCWD, _AT_STATX_DONT_SYNC, _STATX_TYPE = -100, 0x4000, 1
_NO_DEVICE = {
    errno.ENOENT,
    errno.EACCES,
    errno.ENOTCONN,
    errno.EIO,
    errno.ESTALE,
}
_LIBC = ctypes.CDLL(None, use_errno=True)
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
        """Return the reason."""
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
        functions = {address, *pci.virtual_functions(root, address)}
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
        # A path proves nothing: a guest has a /dev of its own, and any user
        # can have a file named vfio/9 open. A copy of a host has no device
        # numbers.
        live = root.live
        wanted = {
            # sysfs has the number as major:minor.
            os.makedev(*map(int, root.peek(source).split(":")))
            if live
            else path
            for place in _places(root, address)
            for path, source in _files(root, place)
            if not live or root.exists(source)
        }
        held += [
            f"{guests.PROC}/{pid}/fd: {root.target(place)}"
            for pid in root.names(guests.PROC)
            if pid.isdecimal()
            for place in _open_files(root, pid)
            # Not by its path: any user can hold a file open whose path is too
            # long to be read.
            if (_device if live else HostRoot.target)(root, place) in wanted
        ]
        if not guests.complete(root):
            unknown.append("/proc: not all processes of the host are seen")
    except Unreadable as error:
        unknown.append(str(error))
    return Usage(tuple(held), tuple(unknown), tuple(owners))


def _places(root: HostRoot, address: str) -> Iterator[str]:
    """Yield the folders of a device and of all its parts."""
    for function in (address, *pci.virtual_functions(root, address)):
        place = pci.path(function)
        yield place
        for name in root.names(place, missing_ok=True):
            if _MEDIATED.fullmatch(name):
                yield f"{place}/{name}"


def _files(root: HostRoot, place: str) -> Iterator[tuple[str, str]]:
    """Yield the files of VFIO that lead to a device.

    :param place: the device's folder
    :returns: the path, and that of its number; what has none is not there
    """
    group = root.link(f"{place}/iommu_group")
    for name in (group, f"noiommu-{group}") if group else ():
        yield f"/dev/vfio/{name}", f"/sys/class/vfio/{name}/dev"
    own = f"{place}/vfio-dev"
    for name in root.names(own, missing_ok=True):
        yield f"/dev/vfio/devices/{name}", f"{own}/{name}/dev"


def _device(root: HostRoot, place: str) -> int | None:
    """Return the number of a device that a process has open."""
    # struct statx of linux/stat.h: stx_mode, stx_rdev_major and the minor.
    answer = ctypes.create_string_buffer(256)
    path = os.fsencode(f"{root.root}{place}")
    # stat(2) waits for the server of a file on NFS or FUSE, which may be away,
    # or any user's.
    call = (_AT_FDCWD, path, _AT_STATX_DONT_SYNC, _STATX_TYPE, answer)
    if _LIBC.statx(*call):
        error = ctypes.get_errno()
        # It was closed, or is on another user's FUSE, or is gone from an NFS
        # server. None of these has devices.
        if error in _NO_DEVICE:
            return None
        raise unreadable(place, os.strerror(error))
    if not stat.S_ISCHR(*struct.unpack_from("=H", answer, 28)):
        return None
    info = root.maybe(place.replace("/fd/", "/fdinfo/")) or ""
    flags = re.findall(r"^flags:\t([0-7]+)$", info, re.MULTILINE)
    # With O_PATH any user can name a device, and do nothing with it.
    is_open = not any(int(each, 8) & os.O_PATH for each in flags)
    number = os.makedev(*struct.unpack_from("=II", answer, 128))
    return number if is_open else None


def _open_files(root: HostRoot, pid: str) -> Iterator[str]:
    """Yield the descriptors of a process; none of one that ended."""
    place = f"{guests.PROC}/{pid}"
    try:
        for number in root.names(f"{place}/fd"):
            yield f"{place}/fd/{number}"
    except Unreadable as error:
        if not error.missing or root.exists(place):
            raise
