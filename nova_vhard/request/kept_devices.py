# SPDX-License-Identifier: Apache-2.0
"""Block devices that a server keeps when its image changes.

Nova keeps each one's bus, and takes the controllers and the machine type from
the new image. The order is that of ``get_info_from_bdm`` in
nova/virt/libvirt/blockinfo.py: a bus, else a volume's name, else its kind. A
root disk or a local one without a bus uses the disks' bus, regardless of its
kind; name and kind count only if Nova does not know its bus.
"""

from collections.abc import Iterable
from dataclasses import replace

from nova_vhard.policy.hardware import (
    DISK,
    NEW_DISK,
    ROOT,
    SERVER,
    STORED,
    Device,
    DeviceChoice,
    HardwareRequest,
)
from nova_vhard.request.block_device import BUS_KIND, REMOVABLE, USED
from nova_vhard.request.compose import KEPT_CONFIG_DRIVE
from nova_vhard.request.image import ISO_IMAGE
from nova_vhard.request.lookups import KeptDevice

#: ``get_disk_bus_for_disk_dev``: names that begin so, in its order.
_BUS_OF_NAME = (("hd", "ide"), ("sd", "scsi"), ("vd", "virtio"), ("fd", "fdc"))

#: Disks on these buses are named sda, sdb, …
_NAMED_SD = frozenset(("scsi", "sata", "usb"))

_KNOWN = frozenset(("disk", "cdrom", "floppy", "lun"))


def with_kept(
    request: HardwareRequest,
    devices: Iterable[KeptDevice],
    config_drive: bool,
    stored: HardwareRequest,
) -> HardwareRequest:
    """Return a request with the devices that the server keeps.

    A device that keeps its bus ignores the bus of the current image. A device
    without its own bus uses it.

    :param request: the hardware of the current image
    :param config_drive: whether the server has a config drive. Nova chooses
        its bus again
    :param stored: the hardware of the server's stored image metadata
    """
    choices: list[DeviceChoice] = []
    has = list(request.devices)
    if config_drive:
        # One config drive, even if the image asks for it as well.
        has = [each for each in has if each.name != KEPT_CONFIG_DRIVE.name]
        has.append(KEPT_CONFIG_DRIVE)
    for number, device in enumerate(devices):
        # ``get_info_from_bdm`` takes any other type for a disk.
        kind = device.device_type if device.device_type in _KNOWN else "disk"
        # The same name in each request about this server: the judge excuses a
        # device by its name and value.
        name = f"{kind} {device.device_name or number}"
        if device.root:
            if ISO_IMAGE in has:
                # Bus and kind come from the ISO image (get_root_info).
                continue
            name = ROOT
            # The root gets its own entry below, with its bus if it keeps one.
            has = [each for each in has if each.name != ROOT]
        where = f"the server's {kind} {device.device_name or ''}".rstrip()
        bus = bus_of(device)
        if bus is None and device.named and not device.device_name:
            # Attached while the server had no host: Nova names it now.
            bus = _bus_by_name(stored)
        # A disk is what every guest has. Other kinds are choices of their own.
        if kind != "disk":
            choices.append(
                DeviceChoice(
                    *("device_type", kind, f"kind of {where}", where, SERVER),
                    device=name,
                )
            )
        if bus is not None:
            # Without names: the property that set this bus is in an image that
            # may be gone, and a change of the new one cannot remove it.
            judged = BUS_KIND.get(kind, "disk_bus")
            choices.append(
                DeviceChoice(
                    *(judged, bus, f"bus of {where}", where, SERVER),
                    device=name,
                )
            )
        elif kind in REMOVABLE and _by_kind(device):
            # Nova falls back to the default of its kind.
            has.append(Device(REMOVABLE[kind], name, where))
        else:
            has.append(Device(DISK, name, where))
    return replace(request.plus(choices), devices=tuple(has))


def with_new_disk(
    request: HardwareRequest, stored: HardwareRequest
) -> HardwareRequest:
    """Return a request with the bus of a volume that may be attached next.

    A volume can be attached until Nova starts to process the request, and
    again afterwards. The choice has its own ``device``, so it does not excuse
    any other device.

    :param stored: the hardware of the server's stored image metadata. Nova
        names the volume by it, regardless of the current image
    """
    bus = _bus_by_name(stored)
    if bus != "scsi":
        # Like any disk without its own bus, it uses the disks' bus.
        return request
    # Leave ``names`` empty: the current image may not have the property that
    # sets the bus.
    choice = DeviceChoice(
        *("disk_bus", bus, "bus of a later volume", "hw_disk_bus"),
        holder=STORED,
        device=NEW_DISK,
    )
    return request.plus([choice])


def _bus_by_name(stored: HardwareRequest) -> str | None:
    """Return the bus that Nova derives from the name of a new disk.

    Nova names the disk by the bus in the stored image metadata, then derives
    the bus from the name. For example, sda is on scsi.
    """
    buses = (
        choice.value
        for choice in stored.explicit("disk_bus")
        # Not the bus of a single block device in the image's mappings.
        if "hw_disk_bus" in choice.names
    )
    return next(("scsi" if bus in _NAMED_SD else bus for bus in buses), None)


def bus_of(device: KeptDevice) -> str | None:
    """Return the bus of a device; None where its kind or the image decides."""
    # An unknown bus counts as none (``is_disk_bus_valid_for_virt``).
    if device.disk_bus in USED:
        return device.disk_bus
    name = (_by_kind(device) and device.device_name) or ""
    result = (bus for start, bus in _BUS_OF_NAME if name.startswith(start))
    return next(result, None)


def _by_kind(device: KeptDevice) -> bool:
    """Return whether name or kind decide where there is no bus to use."""
    return device.named or bool(device.disk_bus)
