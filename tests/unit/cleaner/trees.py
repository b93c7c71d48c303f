# SPDX-License-Identifier: Apache-2.0
"""A captured machine whose devices can be cleaned: real files, and what the
kernel would do when they are written to."""

import os
import pathlib
from dataclasses import dataclass, field

from nova_vhard.cleaner.step import Job
from nova_vhard.host.pci import pci
from nova_vhard.host.root import HostRoot, Unreadable
from tests.trees import capture, functions_at

#: Of the captured tree: an NVMe PF (``flr bus``), a NIC PF (``flr pm bus``),
#: a NIC with ``pm`` alone, and a device without any reset.
NVME, IGB, E1000E, VIRTIO = (
    "0000:02:00.0",
    "0000:01:00.0",
    "0000:00:11.0",
    "0000:00:10.0",
)
#: Where each of them is, with its bridge.
_SLOTS = {
    NVME: "00:14|02:",
    IGB: "00:13|01:",
    E1000E: "00:11",
    VIRTIO: "00:10",
}
RESOURCES = (
    "0x00000000fe800000 0x00000000fe803fff 0x0000000000140204\n"
    + "0x0000000000000000 0x0000000000000000 0x0000000000000000\n" * 5
    + "0x00000000fe840000 0x00000000fe87ffff 0x0000000000046200\n"
)


def tree(tmp_path, address=NVME, others=False):
    """Return the root of a captured machine of which one device is whole.

    :param others: whether the other devices are there, as captured
    """
    only = functions_at("..:" if others else _SLOTS[address])
    root = pathlib.Path(capture("vtd-on", tmp_path, only))
    device = folder(root, address)
    (device / "resource").write_text(RESOURCES)
    (device / "reset").write_text("")
    # Nobody is bound to it, and it is quiet, as before its next guest.
    (device / "driver").unlink(missing_ok=True)
    patch(device / "config", 4, b"\x02\x00")
    return HostRoot(str(root))


def folder(root, address=NVME):
    place = root.root if isinstance(root, HostRoot) else root
    return pathlib.Path(os.path.realpath(f"{place}{pci.path(address)}"))


def patch(path, offset, data):
    """Change some bytes of a file."""
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


@dataclass(frozen=True)
class Kernel(Job):
    """A job whose writes do what the kernel would do.

    :ivar written: what was written, as name and text
    :ivar on_reset: called with the device's file config after a reset
    :ivar refuses: name of a file that cannot be written to
    """

    written: list[tuple[str, str]] = field(default_factory=list)
    on_reset: object = None
    refuses: str = ""

    def write(self, path, text):
        name = os.path.basename(path)
        self.written.append((name, text))
        if name == self.refuses:
            raise Unreadable(path, OSError(25, "Inappropriate ioctl"))
        super().write(path, text)
        if name == "reset" and self.on_reset:
            self.on_reset(folder(self.root, self.device.address) / "config")


def job(root, settings=None, address=NVME, limit=60, **more):
    device = next(x for x in pci.devices(root) if x.address == address)
    return Kernel(root, device, settings or {}, limit, **more)
