# SPDX-License-Identifier: Apache-2.0
"""The PCI configuration space of a device, read whole."""

from nova_vhard.host import pci
from nova_vhard.host.root import HostRoot, Unreadable, unreadable

#: Bytes of the space of a PCI and of a PCI Express device.
SIZES = (256, 4096)


def read(root: HostRoot, address: str) -> bytes:
    """Return the whole configuration space of a device.

    :raises Unreadable: if it cannot be read, or not to its end, as is so
        for everybody but root; or if the device does not answer
    """
    where = f"{pci.path(address)}/config"
    with root.open(where) as file:
        try:
            data = file.read(max(SIZES) + 1)
        except OSError as error:
            raise Unreadable(where, error) from error
    if len(data) not in SIZES:
        raise unreadable(
            where, f"{len(data)} bytes, where all are 256 or 4096"
        )
    size = root.stat(where).st_size
    if size != len(data):
        raise unreadable(where, f"{len(data)} of {size} bytes")
    if data[:2] == b"\xff\xff":
        raise unreadable(where, "the device does not answer")
    return data


def command(data: bytes) -> int:
    """Return the command register."""
    return int.from_bytes(data[4:6], "little")
