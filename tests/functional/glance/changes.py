# SPDX-License-Identifier: Apache-2.0
"""Changes of stored images, and whether the gate takes them.

``named`` and ``unnamed`` are what the explanation must and must not mention.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.functional.glance.wire import add, remove

OLD = {"hw_disk_bus": "ide"}
PC = {"hw_machine_type": "pc"}
_CDROM = ["guest_devices.cdrom_bus"]


@dataclass(frozen=True)
class Change:
    """Operations on an image that Glance has stored already."""

    stored: dict[str, str]
    operations: list[dict[str, Any]]
    named: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)


def swap(path: str, value: str) -> dict[str, str]:
    """Return the v2.1 operation that replaces a value."""
    return {"op": "replace", "path": path, "value": value}


ACCEPTED = {
    "new name": Change(OLD, [swap("/name", "new")]),
    "new tag": Change(OLD, [add("/tags", ["a"])]),
    "unrelated property": Change(OLD, [add("/os_admin_user", "root")]),
    "another good device": Change(OLD, [add("/hw_vif_model", "virtio")]),
    "bad one removed": Change(OLD, [remove("/hw_disk_bus")]),
    "bad one repaired": Change(OLD, [swap("/hw_disk_bus", "virtio")]),
    "bad one repaired in two steps": Change(
        OLD,
        [swap("/hw_disk_bus", "scsi"), add("/hw_scsi_model", "virtio-scsi")],
    ),
    "one of two repaired": Change(
        {"hw_disk_bus": "ide", "hw_vif_model": "e1000"},
        [swap("/hw_disk_bus", "virtio")],
    ),
    "legacy name removed beside current": Change(
        {"vmware_adaptertype": "ide", "hw_disk_bus": "virtio"},
        [remove("/vmware_adaptertype")],
    ),
    "bad on the way only": Change(
        {}, [add("/hw_disk_bus", "ide"), swap("/hw_disk_bus", "virtio")]
    ),
    "gone in the end": Change(
        {}, [add("/hw_disk_bus", "ide"), remove("/hw_disk_bus")]
    ),
    "config drive on q35": Change(
        {"hw_machine_type": "q35"}, [add("/img_config_drive", "mandatory")]
    ),
    "config drive on pc with a bus": Change(
        {"hw_machine_type": "pc", "hw_cdrom_bus": "sata"},
        [add("/img_config_drive", "mandatory")],
    ),
    "no such property as far as nova knows": Change(
        {}, [add("/~1hw_disk_bus", "ide"), add("/hw_disk_bus~1", "ide")]
    ),
    "another property named alike": Change({}, [add("/HW_DISK_BUS", "ide")]),
    "upper case of a good one": Change({}, [add("/hw_vif_model", "VIRTIO")]),
    "nothing at all": Change(OLD, []),
}

#: Let through, though a boot of the image is refused: ``named`` are its rules.
DEFAULTS = {
    "half repaired": Change(
        OLD, [swap("/hw_disk_bus", "scsi")], ["guest_devices.scsi_model"]
    ),
    "config drive on pc": Change(
        PC, [add("/img_config_drive", "mandatory")], _CDROM
    ),
    "bus of the config drive removed": Change(
        {**PC, "img_config_drive": "mandatory", "hw_cdrom_bus": "sata"},
        [remove("/hw_cdrom_bus")],
        _CDROM,
    ),
    "machine type under a config drive": Change(
        {"img_config_drive": "mandatory"},
        [add("/hw_machine_type", "pc-i440fx-9.0")],
        _CDROM,
    ),
    "iso on pc": Change(PC, [swap("/disk_format", "iso")], _CDROM),
}

REFUSED = {
    "same value again": Change(OLD, [swap("/hw_disk_bus", "ide")], ["ide"]),
    "added once more": Change(OLD, [add("/hw_disk_bus", "ide")], ["ide"]),
    "out and in again": Change(
        OLD, [remove("/hw_disk_bus"), add("/hw_disk_bus", "ide")], ["ide"]
    ),
    "other bad value": Change(OLD, [swap("/hw_disk_bus", "fdc")], ["fdc"]),
    "new one beside an old one": Change(
        OLD, [add("/hw_vif_model", "e1000")], ["e1000"], ["hw_disk_bus"]
    ),
    "legacy value uncovered": Change(
        {"vmware_adaptertype": "ide", "hw_disk_bus": "virtio"},
        [remove("/hw_disk_bus")],
        ["vmware_adaptertype", "ide"],
    ),
}
