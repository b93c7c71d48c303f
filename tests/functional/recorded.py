# SPDX-License-Identifier: Apache-2.0
"""Properties that Nova records for a server, by the defaults of its host.

A snapshot inherits them. tests/release/test_harness compares these tables with
Nova's own driver (``_register_undefined_instance_details``). Glance's tests,
which have no Nova, use the same tables.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_DATA = Path(__file__).parent.parent / "data"

PC, Q35 = "pc", "q35"
USB_TABLET, PS2_MOUSE = "usbtablet", "ps2mouse"
PRESETS = ("baseline", "scs", "strict")
#: What Nova picks for a CD-ROM by the machine type.
CDROM_BUS = {PC: "ide", Q35: "sata"}


class Host(NamedTuple):
    """Defaults of hosts: [libvirt] hw_machine_type, [DEFAULT] pointer_model.

    The first value of each is Nova's default.
    """

    machine: str
    pointer: str

    @property
    def assumed(self) -> str:
        """Return the ``assume`` section of a policy for such hosts."""
        return (
            f"assume: {{machine_type: {{x86_64: {self.machine}}}, "
            f"pointer_model: {self.pointer}}}\n"
        )


HOSTS = tuple(
    Host(machine, pointer)
    for machine in (PC, Q35)
    for pointer in (USB_TABLET, PS2_MOUSE)
)

#: An image with which no preset finds fault, whatever the hosts pick.
WHOLE = {
    "hw_machine_type": "q35",
    "hw_disk_bus": "virtio",
    "hw_vif_model": "virtio",
    "hw_video_model": "virtio",
    "hw_input_bus": "virtio",
    "hw_firmware_type": "uefi",
}


@dataclass(frozen=True)
class Guest:
    """A server that a user requests.

    :ivar properties: properties of its image
    :ivar config_drive: whether it gets a config drive
    """

    properties: Mapping[str, str] = field(default_factory=dict)
    config_drive: bool = False

    def recorded(self, host: Host) -> dict[str, str]:
        """Return the image properties that Nova keeps for such a server."""
        result = {
            "hw_machine_type": host.machine,
            "hw_disk_bus": "virtio",
            "hw_vif_model": "virtio",
            "hw_video_model": "virtio",
            **self.properties,
        }
        # There need not be a CD-ROM.
        result.setdefault("hw_cdrom_bus", CDROM_BUS[result["hw_machine_type"]])
        # Each tablet is a usbtablet there, a virtio one, too.
        if host.pointer == USB_TABLET or "hw_input_bus" in result:
            result.setdefault("hw_input_bus", "usb")
            result["hw_pointer_model"] = USB_TABLET
        return result


def _public() -> dict[str, str]:
    """Return the properties of a public image that follows SCS-0102."""
    text = (_DATA / "image-properties.json").read_text(encoding="utf-8")
    images = {each["name"]: each["properties"] for each in json.loads(text)}
    return dict(images["AlmaLinux 9"])


GUESTS = {
    "silent": Guest(),
    "silent, config drive": Guest(config_drive=True),
    "virtio": Guest({"hw_disk_bus": "virtio", "hw_vif_model": "virtio"}),
    "scsi": Guest({"hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"}),
    "pc": Guest({"hw_machine_type": "pc"}),
    "bus of CD-ROMs": Guest({"hw_cdrom_bus": "ide"}),
    "public": Guest(_public()),
    "whole": Guest(WHOLE),
    "whole, config drive": Guest(WHOLE, config_drive=True),
}

_WHOLE = {"whole", "whole, config drive"}


def accepted(preset: str, host: Host) -> set[str]:
    """Return the guests that can boot on such hosts under a preset."""
    if preset == "baseline":
        # An IDE config drive; machine type pc is warned of.
        ide = {"silent, config drive"} if host.machine == PC else set()
        return set(GUESTS) - ide
    if preset == "scs" and host == Host(Q35, PS2_MOUSE):
        return set(GUESTS) - {"pc"}
    # strict wants UEFI; pc hosts and USB tablets leave what an image says.
    return set(_WHOLE)


def cells() -> Iterator[tuple[str, Host, str]]:
    """Yield preset, host and guest for each server that a preset accepts."""
    for preset in PRESETS:
        for host in HOSTS:
            for name in sorted(accepted(preset, host)):
                yield preset, host, name
