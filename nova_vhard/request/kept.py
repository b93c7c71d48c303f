# SPDX-License-Identifier: Apache-2.0
"""Block devices that a server keeps when another image comes.

Nova keeps each one's bus, and takes the controllers and the machine from the
image of the moment. The order is that of ``get_info_from_bdm`` in
nova/virt/libvirt/blockinfo.py: a bus, else a volume's name, else its kind. A
root disk or a local one without a bus goes onto the disks' bus, whatever its
kind is; by name and kind only where its bus is none that Nova knows.
"""

from collections.abc import Iterable, Iterator

from nova_vhard.policy.hardware import (
    CDROM,
    FLOPPY,
    SERVER,
    DeviceChoice,
    HardwareRequest,
)
from nova_vhard.request.block_device import USED
from nova_vhard.request.image import ISO_IMAGE
from nova_vhard.request.lookups import KeptDevice
from nova_vhard.request.parts import KEPT_CONFIG_DRIVE

#: ``get_disk_bus_for_disk_dev``: names that begin so, in its order.
_BUS_OF_NAME = (("hd", "ide"), ("sd", "scsi"), ("vd", "virtio"), ("fd", "fdc"))

#: Disks on these buses are named sda, sdb, …
_NAMED_SD = frozenset(("scsi", "sata", "usb"))

#: Where the bus of a disk comes from that is attached after the gate's look.
LATER = "a disk that is attached later"

_BUS_KIND = {"cdrom": "cdrom_bus", "floppy": "floppy_bus"}
_DEVICE = {"cdrom": CDROM, "floppy": FLOPPY}
_KNOWN = frozenset(("disk", "cdrom", "floppy", "lun"))


def with_kept(
    request: HardwareRequest,
    devices: Iterable[KeptDevice],
    config_drive: bool,
) -> HardwareRequest:
    """Return a request with what the server keeps.

    :param request: what the image of the moment asks for
    :param config_drive: whether the server has a config drive, whose bus
        Nova chooses anew
    """
    choices: list[DeviceChoice] = []
    reasons = [KEPT_CONFIG_DRIVE] if config_drive else []
    for device in devices:
        if device.root and ISO_IMAGE in request.reasons:
            # its bus and its kind are of the image then (get_root_info)
            continue
        kind = device.device_type if device.device_type in _KNOWN else "disk"
        where = f"the server's {kind} {device.device_name or ''}".rstrip()
        bus = bus_of(device)
        if bus is None and kind in _DEVICE and _by_kind(device):
            reasons.append((_DEVICE[kind], where))
        choices += _choices(kind, bus, where)
    return request.plus(choices, dict.fromkeys(reasons))


def with_later_disks(
    request: HardwareRequest, stored: HardwareRequest
) -> HardwareRequest:
    """Return a request with the bus of what is attached from now on.

    Nova names such a disk by the server's stored image, whatever image the
    guest is made of, and goes by the name alone.

    :param stored: what the server's stored image metadata asks for
    """
    buses = {
        choice.value
        for choice in stored.explicit("disk_bus")
        if "hw_disk_bus" in choice.names
    }
    if buses.isdisjoint(_NAMED_SD):
        return request
    return request.plus(
        [DeviceChoice("disk_bus", "scsi", LATER, LATER, SERVER)]
    )


def bus_of(device: KeptDevice) -> str | None:
    """Return the bus of a device; None where its kind or the image decides."""
    if device.disk_bus in USED:
        return device.disk_bus
    name = (_by_kind(device) and device.device_name) or ""
    result = (bus for start, bus in _BUS_OF_NAME if name.startswith(start))
    return next(result, None)


def _by_kind(device: KeptDevice) -> bool:
    """Return whether name or kind decide where there is no bus to use."""
    return device.named or bool(device.disk_bus)


def _choices(kind: str, bus: str | None, where: str) -> Iterator[DeviceChoice]:
    source = f"bus of {where}"
    if kind != "disk":
        yield DeviceChoice(
            "device_type", kind, f"kind of {where}", where, SERVER
        )
    if bus is not None:
        judged = _BUS_KIND.get(kind, "disk_bus")
        yield DeviceChoice(judged, bus, source, where, SERVER)
