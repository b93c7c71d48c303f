# SPDX-License-Identifier: Apache-2.0
"""A captured host whose devices can be cleaned, and a fake nvme-cli.

The files of the host are real files, and writes to them have the effects that
they have in the kernel. The fake nvme-cli prints recorded output.
"""

import json
import os
import pathlib
import shlex
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
    :ivar refuses: name of a file that cannot be written to, or of a driver
        that does not bind to the device
    """

    written: list[tuple[str, str]] = field(default_factory=list)
    on_reset: object = None
    refuses: str = ""

    def write(self, path, text):
        name = os.path.basename(path)
        self.written.append((name, text))
        if name == self.refuses:
            raise Unreadable(path, OSError(25, "Inappropriate ioctl"))
        device = folder(self.root, self.device.address)
        override, driver = device / "driver_override", device / "driver"
        if name == "driver_override":
            override.write_text(text.strip() or "(null)\n")
        elif name == "unbind":
            driver.unlink()
        elif name == "drivers_probe":
            wanted = override.read_text().strip()
            if wanted not in (self.refuses, "(null)"):
                driver.symlink_to(f"../../../bus/pci/drivers/{wanted}")
        else:
            super().write(path, text)
        if name == "reset" and self.on_reset:
            self.on_reset(device / "config")


def job(root, settings=None, address=NVME, limit=60, **more):
    device = next(x for x in pci.devices(root) if x.address == address)
    return Kernel(root, device, settings or {}, limit, **more)


SIZE = 64 << 10
CLEAR = f"head -c {SIZE} /dev/zero > {{disk}}"
DATA = pathlib.Path(__file__).resolve().parents[2] / "data"


class Nvme:
    """A fake nvme-cli for QEMU's drive, whose namespace is a file.

    :param folder: folder of the program and its files
    :param disk: the namespace, which a format or a sanitize clears
    """

    def __init__(self, folder, disk):
        self.folder, self.disk = folder / "nvme", disk
        self.folder.mkdir()
        self.path, self._cases = self.folder / "program", []
        for command in ("id-ctrl", "smart-log", "list-ns"):
            self.answers(command, data(f"nvme-cli/{command}.json"))
        unsupported = data("nvme-cli/sanitize-log-unsupported.json")
        self.answers("sanitize-log", unsupported, status=1)
        self.answers("sanitize /", "", also=CLEAR)
        text = data("nvme-cli/format.txt")
        self.answers("format", text, also=f": > {{disk}}\n{CLEAR}")

    def answers(self, words, *texts, status=0, also=""):
        """Set the output of command lines that begin with these words.

        :param texts: output of the first run, the second, …; the last one is
            repeated
        :param also: shell commands to run; ``{disk}`` is the namespace
        """
        number = len(self._cases)
        for count, text in enumerate(texts):
            (self.folder / f"{number}.{count}").write_text(text)
        counter = shlex.quote(str(self.folder / f"{number}.count"))
        last = len(texts) - 1
        place = shlex.quote(str(self.folder / str(number)))
        # The latest output takes precedence.
        self._cases.insert(
            0,
            f"""\
    {shlex.quote(words)}*)
        count=$(cat {counter} 2>/dev/null || echo 0)
        echo $((count + 1)) > {counter}
        [ "$count" -le {last} ] || count={last}
        {also.format(disk=self.disk)}
        cat {place}.$count
        exit {status} ;;
""",
        )
        log = shlex.quote(str(self.folder / "log"))
        head = f'#!/bin/sh\necho "$*" >> {log}\ncase "$*" in\n'
        self.path.write_text(f"{head}{''.join(self._cases)}esac\nexit 99\n")
        self.path.chmod(0o755)

    @property
    def asked(self):
        """The command lines that the program was called with."""
        log = self.folder / "log"
        return log.read_text().splitlines() if log.exists() else []


def data(name):
    return (DATA / name).read_text(encoding="utf-8")


def changed(name, **fields):
    """Return a recorded JSON object with these fields replaced."""
    return json.dumps(json.loads(data(name)) | fields)


def bound(root, settings, driver="", **more):
    """Return a job on a device with this driver; "" for no driver."""
    place = folder(root)
    (place / "driver_override").write_text("(null)\n")
    if driver:
        (place / "driver").symlink_to(f"../../../bus/pci/drivers/{driver}")
    return job(root, settings, **more)


def driver(root):
    return pci.driver(root, NVME)
