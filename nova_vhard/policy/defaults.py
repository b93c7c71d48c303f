# SPDX-License-Identifier: Apache-2.0
"""The device that Nova picks when nobody asked for one.

Sources: ``get_disk_bus_for_device_type`` in nova/virt/libvirt/blockinfo.py,
``get_vif_model`` in nova/virt/libvirt/vif.py, ``_get_video_type`` and
``_guest_add_keyboard_device`` in nova/virt/libvirt/driver.py,
``get_default_machine_type`` in nova/virt/libvirt/utils.py,
``get_vtpm_constraint`` and ``get_mem_encryption_constraint`` in
nova/virt/hardware.py, and libvirt's own choice of a SCSI controller.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.guests import BUSES, SCSI, SCSI_CONTROLLERS
from nova_vhard.catalogue.machines import NOVA_MACHINE_TYPES
from nova_vhard.common.text import clean, quote
from nova_vhard.policy.hardware import (
    CDROM,
    DISK,
    DISPLAY,
    FLOPPY,
    NIC,
    SERVER,
    DeviceChoice,
    HardwareRequest,
)
from nova_vhard.policy.model import Assume

#: The device that must be there for a kind's default to mean anything.
DEVICE_OF: Mapping[str, str] = MappingProxyType(
    {
        "disk_bus": DISK,
        "cdrom_bus": CDROM,
        "floppy_bus": FLOPPY,
        "vif_model": NIC,
        "video_model": DISPLAY,
    }
)

#: Other kinds that mean nothing unless ``implied`` yields a default of them.
NOT_OF_EVERY_GUEST = frozenset(
    ("input_bus", "mem_encryption_model", "scsi_model", "tpm_model")
)

# The name that an image says each kind by.
_SETTINGS = {
    name: kind.image_properties[0]
    for name, kind in KINDS.items()
    if kind.image_properties
}

#: Yields what Nova picks of a kind.
Picker = Callable[[HardwareRequest, Assume], Iterator[DeviceChoice]]

_SCSI_CDROM = frozenset(
    ("ppc", "ppc64", "ppcle", "ppc64le", "s390", "s390x", "aarch64")
)
_VGA = frozenset(("ppc", "ppc64", "ppc64le"))
_MACHINE_NAMES = frozenset(("hw_machine_type", "hw_architecture"))
_ARCHITECTURE_NAMES = frozenset(
    ("hw_architecture", "hw_emulation_architecture")
)
# Without one of these a guest with the property would have no such device.
_CDROM_NAMES = _MACHINE_NAMES | {
    "hw_cdrom_bus",
    "img_config_drive",
    "disk_format",
    "img_block_device_mapping",
    "block_device_mapping",
}


def architecture(request: HardwareRequest, assume: Assume) -> str:
    """Return the guest's architecture."""
    return request.architecture or assume.architecture


def qemu_architecture(request: HardwareRequest, assume: Assume) -> str:
    """Return the architecture that QEMU runs.

    Nova chooses machine type and buses by ``hw_architecture`` alone, and
    everything else by this (``_check_emulation_arch`` in its driver).
    """
    return request.emulated or architecture(request, assume)


def machine_type(request: HardwareRequest, assume: Assume) -> str | None:
    """Return the guest's machine type, None where nobody says one."""
    if request.machine_type is not None:
        return request.machine_type
    arch = architecture(request, assume)
    return assume.machine_type.get(arch) or NOVA_MACHINE_TYPES.get(arch)


def implied(
    request: HardwareRequest, assume: Assume
) -> Iterator[DeviceChoice]:
    """Yield what Nova picks where the request says nothing.

    Only for devices that this guest really gets. A value that libosinfo may
    pick by ``os_distro`` is None: unknown.

    :param request: the explicit choices
    :param assume: the host settings that the policy assumes
    """
    if request.complete:
        return
    stated = _stated(request)
    choices = [
        choice
        for kind, pick in _PICKS
        if kind not in stated
        for choice in pick(request, assume)
    ]
    yield from choices
    if "scsi_model" not in stated:
        yield from _scsi(request, choices, assume)


def _stated(request: HardwareRequest) -> set[str]:
    """Return the kinds that the image itself says, as ``is_set`` has it."""
    return {
        choice.kind
        for choice in request.choices
        if _SETTINGS.get(choice.kind) in choice.names
    }


def is_set(request: HardwareRequest, kind: str) -> bool:
    """Return whether the image itself (not a block device) says it.

    The bus of one block device, in the image's own mapping too, is no
    default for the other devices.
    """
    return kind in _stated(request)


def _choice(
    request: HardwareRequest,
    kind: str,
    value: str | None,
    why: str,
    names: Iterable[str] = (),
) -> DeviceChoice:
    setting = KINDS[kind].image_properties[0]
    return DeviceChoice(
        kind=kind,
        value=value,
        source=f"{request.origin} property {setting} (not set)",
        setting=setting,
        origin=request.origin,
        names=frozenset(names) | {setting},
        implied=why,
        holder=request.holder,
    )


def _machine(
    request: HardwareRequest, assume: Assume
) -> Iterator[DeviceChoice]:
    machine = machine_type(request, assume)
    arch = architecture(request, assume)
    why = f"this cloud's hosts pick {clean(machine)} on {clean(arch)}"
    yield _choice(request, "machine_type", machine, why, _MACHINE_NAMES)


def _by_distro(
    request: HardwareRequest, kind: str, what: str
) -> Iterator[DeviceChoice]:
    why = (
        f"libosinfo may pick any kind for {what}, by os_distro "
        f"{quote(request.os_distro)}"
    )
    yield _choice(request, kind, None, why, ("os_distro", "vmware_ostype"))


def _disk(request: HardwareRequest, assume: Assume) -> Iterator[DeviceChoice]:
    if DISK not in request.devices:
        return
    if request.os_distro:
        yield from _by_distro(request, "disk_bus", "a disk")
        return
    bus = {"lxc": "lxc", "parallels": "scsi"}.get(assume.virt_type, "virtio")
    why = f"nova picks {bus} for a disk"
    yield _choice(request, "disk_bus", bus, why, ("vmware_adaptertype",))


def cdrom_bus(request: HardwareRequest, assume: Assume) -> tuple[str, str]:
    """Return the bus that Nova picks for a CD-ROM, and why, in words."""
    arch = architecture(request, assume)
    if assume.virt_type in ("lxc", "parallels"):
        bus = "lxc" if assume.virt_type == "lxc" else "ide"
        return bus, f"with virt_type {assume.virt_type}"
    if arch in _SCSI_CDROM:
        return "scsi", f"on {clean(arch)}"
    machine = machine_type(request, assume) or "pc"
    bus = "sata" if "q35" in machine else "ide"
    return bus, f"on machine type {clean(machine)}"


def _cdrom(request: HardwareRequest, assume: Assume) -> Iterator[DeviceChoice]:
    reason = request.reason(CDROM)
    if reason is None and assume.force_config_drive:
        reason = "a config drive, which this cloud always adds"
    if reason is None:
        return
    bus, where = cdrom_bus(request, assume)
    why = f"nova picks {bus} for a CD-ROM ({clean(reason)}) {where}"
    yield _choice(request, "cdrom_bus", bus, why, _CDROM_NAMES)


def _floppy(
    request: HardwareRequest, assume: Assume
) -> Iterator[DeviceChoice]:
    if FLOPPY in request.devices:
        reason = clean(request.reason(FLOPPY))
        why = f"nova picks fdc for a floppy ({reason})"
        names = ("img_block_device_mapping", "block_device_mapping")
        yield _choice(request, "floppy_bus", "fdc", why, names)


def _card(request: HardwareRequest, assume: Assume) -> Iterator[DeviceChoice]:
    if NIC not in request.devices:
        return
    if request.os_distro:
        yield from _by_distro(request, "vif_model", "a network card")
    elif assume.use_virtio_for_bridges:
        why = "nova picks virtio for a network card"
        yield _choice(request, "vif_model", "virtio", why)
    else:
        why = "libvirt picks rtl8139 for a network card"
        yield _choice(request, "vif_model", "rtl8139", why)


def _video(request: HardwareRequest, assume: Assume) -> Iterator[DeviceChoice]:
    if DISPLAY not in request.devices:
        return
    arch = qemu_architecture(request, assume)
    vga = arch in _VGA or assume.virt_type == "parallels"
    model = "vga" if vga else "virtio"
    why = f"nova picks {model} for a graphics card on {clean(arch)}"
    yield _choice(request, "video_model", model, why, _ARCHITECTURE_NAMES)


def _keyboard(
    request: HardwareRequest, assume: Assume
) -> Iterator[DeviceChoice]:
    """Yield the bus of the keyboard that Nova adds where there is none."""
    arch = qemu_architecture(request, assume)
    if DISPLAY in request.devices and arch == "aarch64":
        why = f"nova picks usb for a keyboard on {clean(arch)}"
        yield _choice(request, "input_bus", "usb", why, _ARCHITECTURE_NAMES)


def _firmware(
    request: HardwareRequest, assume: Assume
) -> Iterator[DeviceChoice]:
    arch = qemu_architecture(request, assume)
    firmware = "uefi" if arch == "aarch64" else "bios"
    why = f"nova picks {firmware} on {clean(arch)}"
    yield _choice(request, "firmware_type", firmware, why, _ARCHITECTURE_NAMES)


def _tpm(request: HardwareRequest, assume: Assume) -> Iterator[DeviceChoice]:
    if _asked(request, "tpm_version") and not _asked(request, "tpm_model"):
        why = "nova picks tpm-tis for a TPM"
        names = ("hw_tpm_version",)
        yield _choice(request, "tpm_model", "tpm-tis", why, names)


def _encryption(
    request: HardwareRequest, assume: Assume
) -> Iterator[DeviceChoice]:
    wanted = request.explicit("mem_encryption")
    if any(choice.value == "true" for choice in wanted) and not _asked(
        request, "mem_encryption_model"
    ):
        why = "nova picks amd-sev for encrypted memory"
        names = ("hw_mem_encryption",)
        yield _choice(request, "mem_encryption_model", "amd-sev", why, names)


def _asked(request: HardwareRequest, kind: str) -> bool:
    """Return whether the image or the flavor asks for one."""
    return any(choice.value for choice in request.explicit(kind))


# A kind that the image itself says has no default, to what picks it; empty
# where the picker looks for itself.
_PICKS: tuple[tuple[str, Picker], ...] = (
    ("machine_type", _machine),
    ("disk_bus", _disk),
    ("cdrom_bus", _cdrom),
    ("floppy_bus", _floppy),
    ("vif_model", _card),
    ("video_model", _video),
    ("input_bus", _keyboard),
    ("firmware_type", _firmware),
    ("", _tpm),
    ("", _encryption),
)


def _scsi(
    request: HardwareRequest, defaults: Iterable[DeviceChoice], assume: Assume
) -> Iterator[DeviceChoice]:
    where = _scsi_disk(request, defaults, assume)
    if where is None:
        return
    arch = qemu_architecture(request, assume)
    model = scsi_controller(arch)
    why = (
        f"libvirt picks {model} as the controller of a scsi bus on "
        f"{clean(arch)}{where}"
    )
    names = ("hw_disk_bus", "hw_cdrom_bus", "hw_rescue_bus")
    yield _choice(
        request, "scsi_model", model, why, _ARCHITECTURE_NAMES.union(names)
    )


def scsi_controller(arch: str) -> str:
    """Return the model that libvirt picks as the controller of a scsi bus."""
    return SCSI_CONTROLLERS.get(arch, SCSI_CONTROLLERS[""])


def _scsi_disk(
    request: HardwareRequest, defaults: Iterable[DeviceChoice], assume: Assume
) -> str | None:
    """Return what to say of the disk on a scsi bus; None if there is none."""
    for choice in filter(_on_scsi, (*request.choices, *defaults)):
        if _is_of_no_device(choice, request, assume):
            continue
        kept = choice.origin == SERVER
        return f", on which {clean(choice.setting)} is" if kept else ""
    disk = request.rescue_disk
    if disk is not None and any(map(_on_scsi, _of_rescue(disk, assume))):
        return ", on which the rescue disk is plugged in"
    return None


def _is_of_no_device(
    choice: DeviceChoice, request: HardwareRequest, assume: Assume
) -> bool:
    """Return whether it is the bus of CD-ROMs, of which there is none."""
    setting = KINDS["cdrom_bus"].image_properties[0]
    return (
        choice.kind == "cdrom_bus"
        and setting in choice.names
        and CDROM not in request.devices
        and not assume.force_config_drive
    )


def _of_rescue(
    disk: HardwareRequest, assume: Assume
) -> Iterator[DeviceChoice]:
    for choice in (*disk.choices, *implied(disk, assume)):
        if disk.only is None or choice.kind in disk.only:
            yield choice


def _on_scsi(choice: DeviceChoice) -> bool:
    return choice.value == SCSI and choice.kind in BUSES
