# SPDX-License-Identifier: Apache-2.0
"""Parser for the live domain XML of a running guest.

Source: https://libvirt.org/formatdomain.html, "Hard drives, floppy disks,
CDROMs" and "Security label".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

# Attribute of <source> that has the path, by the type of the disk.
_PATHS = {"file": "file", "block": "dev", "dir": "dir"}

# "Host device assignment", "PCI passthrough of host devices" and disks of
# type nvme there.
_PASSED = (
    "devices/hostdev[@type='pci']/source",
    "devices/interface[@type='hostdev']/source",
    "devices/disk[@type='nvme']/source",
    # What a disk is based on, mirrored to, or has its data in
    "devices/disk//*[@type='nvme']/source",
)


@dataclass(frozen=True)
class Disk:
    """One file or device node that a guest's disk is made of.

    :ivar path: on the host
    :ivar block: whether it is a device node
    :ivar folder: whether it is a folder that the guest shares with the host
    :ivar readonly: whether the guest only reads it; images that another one
        is backed by are
    :ivar shareable: whether other guests may write it too
    """

    path: str
    block: bool = False
    readonly: bool = False
    shareable: bool = False
    folder: bool = False


@dataclass(frozen=True)
class Domain:
    """A running guest, as libvirt knows it.

    :ivar labels: security model to the label that libvirt recorded; procfs has
        the label that the guest really has
    :ivar disks: disks that have a path on the host
    :ivar elsewhere: number of disks without one (network, volume, …)
    :ivar pci: addresses of the host PCI devices that the guest has; an empty
        string for a device without a valid address
    :ivar emulator: path, as libvirt sees it
    """

    uuid: str
    name: str
    labels: dict[str, str]
    disks: tuple[Disk, ...] = ()
    elsewhere: int = 0
    pci: tuple[str, ...] = ()
    emulator: str = ""


def parse(domain: ElementTree.Element) -> Domain:
    """Read a ``<domain>``."""
    layers = [
        layer
        for disk in domain.iterfind("devices/disk")
        for layer in _layers(disk)
    ]
    # A guest writes these as well: their labels are judged like a disk's.
    layers += _others(domain)
    return Domain(
        # Compared with the word behind -uuid of QEMU's command line, which
        # guests._guest() also puts into lower case.
        uuid=(domain.findtext("uuid") or "").strip().lower(),
        name=domain.findtext("name") or "",
        # A running domain has one <seclabel> for each driver: dac (the user),
        # and selinux or apparmor.
        labels={
            item.get("model", ""): item.findtext("label") or ""
            for item in domain.iterfind("seclabel")
        },
        disks=tuple(item for item in layers if item),
        elsewhere=sum(item is None for item in layers),
        # The devices that are passed through.
        pci=tuple(
            _address(source.find("address"))
            for path in _PASSED
            for source in domain.iterfind(path)
        ),
        emulator=(domain.findtext("devices/emulator") or "").strip(),
    )


def _address(element: ElementTree.Element | None) -> str:
    if element is None:
        return ""
    # An invalid address becomes "" and is not dropped: the cleaner must not
    # take a device for free while a guest has one whose address is unknown.
    try:
        domain, bus, slot, function = (
            int(element.get(name, ""), 0)
            for name in ("domain", "bus", "slot", "function")
        )
    except ValueError:
        return ""
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def _layers(disk: ElementTree.Element) -> Iterator[Disk | None]:
    """Yield a disk's image and all that it is backed by; None: no path."""
    readonly = disk.find("readonly") is not None
    shareable = disk.find("shareable") is not None
    layer: ElementTree.Element | None = disk
    # The loop ends: common.xml refuses elements that lie deeper than
    # MAX_DEPTH.
    while layer is not None:
        source = layer.find("source")
        if source is not None:
            yield _image(layer, readonly, shareable)
            # Of a qcow2 with its data in a file of its own.
            store = source.find("dataStore")
            if store is not None:
                yield _image(store, readonly, shareable)
        layer = layer.find("backingStore")
        # <readonly> and <shareable> are about the top image. QEMU opens the
        # images below it for reading.
        readonly, shareable = True, False
    # What a running copy of the disk writes to.
    mirror = disk.find("mirror")
    if mirror is not None:
        yield _image(mirror)


def _image(
    layer: ElementTree.Element, readonly: bool = False, shareable: bool = False
) -> Disk | None:
    """Return what an element with a type and a source leads to."""
    kind = layer.get("type", "")
    source = layer.find("source")
    # Other types (network, volume, vhostuser) name no path of this host: such
    # a disk is counted as "elsewhere", since there is no file to judge.
    path = None if source is None else source.get(_PATHS.get(kind, ""))
    # Older libvirt names a mirror's file itself.
    path = path or layer.get("file")
    if not path:
        return None
    return Disk(path, kind == "block", readonly, shareable, kind == "dir")


def _others(domain: ElementTree.Element) -> Iterator[Disk | None]:
    """Yield what a guest writes beside its disks: its NVRAM, shared folders.

    "BIOS bootloader" and "Filesystems" there.
    """
    nvram = domain.find("os/nvram")
    if nvram is not None:
        # Without a type= the path is the text of <nvram>; with one, libvirt
        # writes a <source> as for a disk.
        path = (nvram.text or "").strip()
        yield Disk(path) if path else _image(nvram)
    for element in domain.iterfind("devices/filesystem"):
        source = element.find("source")
        # 9p and virtiofs share source/@dir. A socket of an external virtiofsd
        # has no path here.
        path = "" if source is None else source.get("dir") or ""
        readonly = element.find("readonly") is not None
        yield Disk(path, readonly=readonly, folder=True) if path else None


def security_models(
    capabilities: ElementTree.Element,
) -> dict[str, tuple[str, ...]]:
    """Return libvirt's security drivers, the first one first.

    :param capabilities: ``<capabilities>``
    :returns: model (selinux, apparmor, dac, none) to its base labels
    """
    # The order is libvirt's: mac.active_model() takes its first driver that is
    # SELinux or AppArmor for the one that confines guests.
    return {
        item.findtext("model") or "": tuple(
            sorted({label.text or "" for label in item.iterfind("baselabel")})
        )
        for item in capabilities.iterfind("host/secmodel")
    }
