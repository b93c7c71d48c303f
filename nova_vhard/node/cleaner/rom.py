# SPDX-License-Identifier: Apache-2.0
"""The option ROM of a device, as the kernel gives it out.

Source: "rom" in Documentation/ABI/testing/sysfs-bus-pci of the kernel. It
reads the images that the ROM's own headers count, and nothing behind them.
"""

import hashlib
from collections.abc import Callable

from nova_vhard.host import pci
from nova_vhard.host.root import HostRoot, Unreadable, unreadable

#: Largest ROM that a base address register of one can have, in bytes.
LIMIT = 16 << 20

Write = Callable[[str, str], None]


def digest(root: HostRoot, write: Write, address: str) -> str | None:
    """Return the SHA-256 of a device's option ROM, None for no ROM.

    :param write: writes a text to a file of the host
    :raises Unreadable: if it is there and cannot be read, or switched off
        again
    """
    where = f"{pci.path(address)}/rom"
    if not root.exists(where):
        return None
    try:
        shadowed = root.read(f"{pci.path(address)}/boot_vga") != "0"
    except Unreadable as error:
        if not error.missing:
            raise
        shadowed = False
    if shadowed:
        raise unreadable(
            where,
            "of the display that the host started with the kernel gives out "
            "a copy in memory, not the ROM",
        )
    write(where, "1")
    try:
        content = _content(root, where)
    finally:
        write(where, "0")
    return hashlib.sha256(content).hexdigest()


def _content(root: HostRoot, where: str) -> bytes:
    with root.open(where) as file:
        try:
            content = file.read(LIMIT + 1)
        except OSError as error:
            raise Unreadable(where, error) from error
    if not content:
        raise unreadable(where, "the ROM is empty")
    if len(content) > LIMIT:
        raise unreadable(where, f"the ROM is longer than {LIMIT} bytes")
    return content
