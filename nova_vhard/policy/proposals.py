# SPDX-License-Identifier: Apache-2.0
"""Which value a fix proposes: one that is allowed, and that works."""

from dataclasses import replace

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.guests import BUSES, SCSI, can_have
from nova_vhard.common.commands import is_plain
from nova_vhard.policy.defaults import (
    NOT_OF_EVERY_GUEST,
    architecture,
    cdrom_bus,
    implied,
    is_set,
    machine_type,
    qemu_architecture,
    scsi_controller,
)
from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.policy.model import Policy

# Buses whose disks Nova plugs into a running guest as something else.
_NOT_PLUGGED = frozenset(("sata", "usb"))
# What Nova picks of these, and whether, hangs on other settings.
_HANGS_ON_OTHERS = NOT_OF_EVERY_GUEST | {"cdrom_bus", "floppy_bus"}


class Proposals:
    """The values that would mend one guest, by device kind.

    :param request: the choices that are judged
    :param plugged: whether Nova plugs a disk into the running guest
    """

    def __init__(
        self, policy: Policy, request: HardwareRequest, plugged: bool = False
    ) -> None:
        self._policy = policy
        self._request = request
        self._plugged = plugged
        self._values: dict[str, str | None] = {}

    def value(self, kind: str) -> str | None:
        """Return the value to set; None for leaving the setting out."""
        if kind not in self._values:
            self._values[kind] = self._find(kind)
        return self._values[kind]

    def may_be_unset(self, kind: str) -> bool:
        """Return False where a guest without the setting is refused, too.

        Of a device that not every guest has, or whose default hangs on
        another setting, True: another change may mend that.
        """
        rule = self._policy.guest_devices[kind]
        if kind in _HANGS_ON_OTHERS or rule.explicit:
            return kind in _HANGS_ON_OTHERS
        without = replace(
            self._request,
            choices=tuple(
                choice
                for choice in self._request.choices
                if choice.kind != kind
            ),
            machine_type=None,
        )
        return all(
            choice.value is None or choice.value in rule.allow
            for choice in implied(without, self._policy.assume)
            if choice.kind == kind
        )

    def is_on_scsi(self, kind: str) -> bool:
        """Return whether that value puts a device onto scsi."""
        value = self.value(kind)
        if kind == "rescue_bus" and value is None:
            value = self._default_bus(self._rescued_as())
        return value == SCSI

    def rescue_bus_but_scsi(self) -> str | None:
        """Return a bus for a rescue disk that needs no controller."""
        result = self._usable("rescue_bus", self._rescued_as())
        return next((bus for bus in result if bus != SCSI), None)

    def scsi_controller(self) -> str | None:
        """Return the controller to set for a device on scsi.

        :returns: None where the image says one, or where libvirt's own
            choice is allowed
        """
        rule = self._policy.guest_devices.get("scsi_model")
        if rule is None or is_set(self._request, "scsi_model"):
            return None
        arch = qemu_architecture(self._request, self._policy.assume)
        if scsi_controller(arch) in rule.allow and not rule.explicit:
            return None
        return self.value("scsi_model")

    def _find(self, kind: str) -> str | None:
        device = self._rescued_as() if kind == "rescue_bus" else kind
        values = self._usable(kind, device)
        if kind == "rescue_bus" and values == [SCSI]:
            # Without the property it may need no controller.
            return None if self._default_is_allowed(device) else SCSI
        if kind == "machine_type" and not values:
            return self._default_machine()
        return values[0] if values else None

    def _usable(self, kind: str, device: str) -> list[str]:
        """Return the allowed values that work, scsi last.

        :param device: the kind that decides what works
        """
        rule = self._policy.guest_devices.get(kind)
        arch = self._architecture()
        result = [
            value
            for value in (rule.allow.literals if rule else ())
            if is_plain(value) and can_have(device, value, arch)
        ]
        if kind == "disk_bus" and self._plugged:
            result = [bus for bus in result if bus not in _NOT_PLUGGED]
        if kind in BUSES:
            result.sort(key=SCSI.__eq__)
        return result

    def _architecture(self) -> str:
        """Return what QEMU will run once the violations are mended."""
        rule = self._policy.guest_devices.get("emulation_architecture")
        if rule is not None and self._request.emulated not in rule.allow:
            return architecture(self._request, self._policy.assume)
        return qemu_architecture(self._request, self._policy.assume)

    def _default_machine(self) -> str | None:
        rule = self._policy.guest_devices["machine_type"]
        unset = HardwareRequest(architecture=self._architecture())
        machine = machine_type(unset, self._policy.assume)
        return machine if machine in rule.allow else None

    def _rescued_as(self) -> str:
        """Return the kind that decides which buses a rescue disk can have."""
        rule = self._policy.guest_devices.get("rescue_device")
        cdrom = any(
            choice.value == "cdrom" and (rule is None or "cdrom" in rule.allow)
            for choice in self._request.explicit("rescue_device")
        )
        return "cdrom_bus" if cdrom else "disk_bus"

    def _default_is_allowed(self, device: str) -> bool:
        rule = self._policy.guest_devices.get(device)
        return rule is None or self._default_bus(device) in rule.allow

    def _default_bus(self, device: str) -> str | None:
        """Return the bus of a rescue disk without hw_rescue_bus."""
        name = KINDS[device].image_properties[0]
        for choice in self._request.explicit(device):
            if name in choice.names:
                return choice.value
        if device == "cdrom_bus":
            return cdrom_bus(self._request, self._policy.assume)[0]
        return None if self._request.os_distro else "virtio"
