# SPDX-License-Identifier: Apache-2.0
"""The machine that Nova makes a guest of, by Nova's own code."""

from typing import Any

from nova.objects import fields
from nova.virt import hardware
from nova.virt.libvirt import config, vif

Given = dict[str, set[str]]


def machine(guest: Any) -> Given:
    """Return the machine, its firmware and its card."""
    domain = config.LibvirtConfigGuest()
    domain.os_type = fields.VMMode.HVM
    guest.driver._configure_guest_by_virt_type(
        domain, guest.instance, guest.meta, guest.flavor
    )
    card = vif.LibvirtGenericVIFDriver().get_base_config(
        guest.instance,
        "ca:fe:de:ad:be:ef",
        guest.meta,
        guest.flavor,
        guest.host.virt_type,
        "normal",
    )
    video = guest.driver._get_video_type(guest.meta)
    result: Given = {
        "machine_type": {domain.os_mach_type},
        "firmware_type": {"uefi" if domain.os_firmware else "bios"},
        # libvirt's own choice
        "vif_model": {card.model or "rtl8139"},
        "video_model": {video or config.LibvirtConfigGuestVideo().type},
    }
    if domain.os_bootmenu:
        result["boot_menu"] = {"true"}
    if guest.driver._get_iommu_model(domain, guest.meta, guest.flavor):
        result["viommu_model"] = {_said(guest, "viommu_model")}
    guest.driver._guest_add_watchdog_action(domain, guest.flavor, guest.meta)
    result["watchdog_action"] = {
        each.action
        for each in domain.devices
        if isinstance(each, config.LibvirtConfigGuestWatchdog)
    }
    return result


def _ignored(*both: Any) -> None:
    """Take the place of a choice that an older Nova does not know."""


def _encryption(driver: Any, both: Any) -> dict[str, Any]:
    if not hasattr(driver, "_get_mem_encryption_config"):
        # Nova 31 has only one model and ignores the requested one.
        return {"mem_encryption": "true"} if driver._sev_enabled(*both) else {}
    encryption = driver._get_mem_encryption_config(*both)
    if not encryption:
        return {}
    return {
        "mem_encryption": "true",
        "mem_encryption_model": encryption.model,
    }


def more(guest: Any) -> Given:
    """Return what the flavor and the image choose together."""
    both = (guest.flavor, guest.meta)
    result: dict[str, Any] = {
        kind: getattr(hardware, f"get_{kind}", _ignored)(*both)
        for kind in ("sound_model", "usb_model", "redirected_usb_ports")
    }
    result |= {
        "secure_boot": hardware.get_secure_boot_constraint(*both),
    }
    ports = hardware.get_number_of_serial_ports(*both)
    if ports > 1:
        result["serial_port_count"] = ports
    tpm = hardware.get_vtpm_constraint(*both)
    if tpm:
        result |= {"tpm_version": tpm.version, "tpm_model": tpm.model}
    result |= _encryption(guest.driver, both)
    domain = config.LibvirtConfigGuest()
    domain.os_type = fields.VMMode.HVM
    pointer = guest.driver._guest_add_pointer_device(domain, guest.meta)
    if pointer is not None:
        result["input_bus"] = pointer.bus
        if guest.meta.properties.get("hw_input_bus") is None:
            result["pointer_model"] = "usbtablet"
    guest.driver._add_rng_device(domain, *both)
    if any(
        isinstance(each, config.LibvirtConfigGuestRng)
        for each in domain.devices
    ):
        result |= {"rng": "true", "rng_model": "virtio"}
    given = {kind: {str(each)} for kind, each in result.items() if each}
    keyboard = guest.driver._guest_add_keyboard_device(domain, guest.meta)
    if keyboard is not None:
        given.setdefault("input_bus", set()).add(keyboard.bus)
    return given


def _said(guest: Any, name: str) -> str:
    specs = guest.flavor.extra_specs
    image = guest.meta.properties.get(f"hw_{name}")
    return str(specs.get(f"hw:{name}") or image)
