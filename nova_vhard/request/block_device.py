# SPDX-License-Identifier: Apache-2.0
"""Reader of block device mappings, version 1 and 2.

They arrive in the body of POST /servers and, as JSON, in the image
properties ``block_device_mapping`` and ``mappings``. Of a server that exists
Nova keeps them in its database.
"""

import json
from collections.abc import Mapping
from typing import Any

from nova_vhard.common.text import clean
from nova_vhard.policy.hardware import (
    BLOCK_DEVICE,
    CDROM,
    FLOPPY,
    NOBODY,
    Device,
    DeviceChoice,
    Holder,
)

# Any other device_type, lun included, is a disk on a disk's bus.
BUS_KIND = {"cdrom": "cdrom_bus", "floppy": "floppy_bus"}
REMOVABLE = {"cdrom": CDROM, "floppy": FLOPPY}

#: ``new_format_is_swap`` in nova/block_device.py; its driver device has no
#: device_type (DriverSwapBlockDevice in nova/virt/block_device.py).
_SWAP = {
    "source_type": "blank",
    "destination_type": "local",
    "guest_format": "swap",
}

# On any other Nova goes on as if no bus was given (``get_info_from_bdm`` in
# nova/virt/libvirt/blockinfo.py, virt_type kvm and qemu).
USED = frozenset(("fdc", "ide", "sata", "scsi", "usb", "virtio"))

#: Entries of a property beyond which it is refused unread, and characters:
#: Glance's own database keeps no longer text.
#: Only for a property. The body of a boot is limited by Nova's sizelimit
#: (api-paste.ini), and is judged in full.
MOST_ENTRIES = 256
MOST_CHARACTERS = 65_535


def read(
    entries: Any,
    name: str,
    origin: str = BLOCK_DEVICE,
    holder: Holder = NOBODY,
) -> tuple[list[DeviceChoice], list[Device]]:
    """Read a list of block device mappings.

    :param entries: the list or its JSON text, not yet validated
    :param name: name of the field or property with the list
    :param origin: BLOCK_DEVICE for a request body, IMAGE or VOLUME for a
        property
    :param holder: the image or volume with the property
    :returns: the choices, and the CD-ROMs and floppies without their own bus.
        An unreadable entry is returned as a choice that no policy allows.
    """
    choices: list[DeviceChoice] = []
    devices: list[Device] = []
    listed = _listed(entries, origin)
    # Fail closed: Nova may read a list that this reader does not.
    if listed is None:
        return [_unreadable(entries, name, origin, holder)], devices
    for index, entry in enumerate(listed):
        place = f"{name}[{index}]"
        # One bad entry must not hide the others, which Nova could still use.
        if not isinstance(entry, Mapping):
            choices.append(_unreadable(entry, place, origin, holder))
            continue
        kind = entry.get("device_type")
        bus = entry.get("disk_bus")
        # Nova makes a disk of swap, whatever its device_type.
        device = "disk" if _SWAP.items() <= entry.items() else str(kind)
        # Also a choice of its own: a policy may forbid ``lun``, which hands
        # SCSI commands to the storage.
        if kind is not None:
            field = f"{place}.device_type"
            choices.append(_choice("device_type", kind, field, origin, holder))
        # Not its truth: an empty value is judged as it is written.
        if bus is not None:
            field = f"{place}.disk_bus"
            judged = BUS_KIND.get(device, "disk_bus")
            choices.append(_choice(judged, bus, field, origin, holder))
        # Nova then asks ``get_disk_bus_for_device_type`` for the bus, so that
        # the default of a CD-ROM or floppy counts. A disk without a bus needs
        # no entry: each guest has a root disk, whose default is judged.
        if str(bus) not in USED and device in REMOVABLE:
            devices.append(Device(REMOVABLE[device], place, place))
    return choices, devices


def _listed(entries: Any, origin: str) -> list[Any] | None:
    """Return the entries, or None if there is no list or it is too long."""
    if isinstance(entries, str | bytes):
        if len(entries) > MOST_CHARACTERS:
            return None
        try:
            # Nova loads the text as JSON, too (``_CONVERT_PROPS`` in its
            # image/glance.py). RecursionError: a list that nests thousands of
            # times fits into a property.
            entries = json.loads(entries)
        except (ValueError, RecursionError):
            return None
    if not isinstance(entries, list | tuple):
        return None
    if origin != BLOCK_DEVICE and len(entries) > MOST_ENTRIES:
        return None
    return list(entries)


def _choice(
    kind: str, value: Any, setting: str, origin: str, holder: Holder
) -> DeviceChoice:
    in_body = origin == BLOCK_DEVICE
    return DeviceChoice(
        kind=kind,
        value=str(value),
        source=setting if in_body else f"{origin} property {setting}",
        setting=setting,
        origin=origin,
        names=frozenset(() if in_body else (setting.partition("[")[0],)),
        holder=holder,
        # ``block_device_mapping_v2[2]``: the place is the name of the device.
        device=setting.partition(".")[0],
    )


def _unreadable(
    entry: Any, setting: str, origin: str, holder: Holder
) -> DeviceChoice:
    """Return a bus that no policy allows, for what cannot be read."""
    return _choice(
        "disk_bus", f"unreadable: {clean(entry, 40)}", setting, origin, holder
    )
