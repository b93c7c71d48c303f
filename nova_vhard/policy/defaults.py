# SPDX-License-Identifier: Apache-2.0
"""The devices that Nova chooses by default.

Sources: ``get_disk_bus_for_device_type`` in nova/virt/libvirt/blockinfo.py,
``get_vif_model`` in nova/virt/libvirt/vif.py, ``_get_video_type`` and
``_guest_add_keyboard_device`` in nova/virt/libvirt/driver.py,
``get_default_machine_type`` in nova/virt/libvirt/utils.py,
``_get_pointer_bus_and_model``, ``_guest_add_usb_root_controller`` and
``_add_rng_device`` there, ``get_vtpm_constraint`` and
``get_mem_encryption_constraint`` in nova/virt/hardware.py, and libvirt's own
choice of SCSI and USB controllers. Defaults that are the same for every guest
are in the catalogue, as ``DeviceKind.default``.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from nova_vhard.catalogue.devices import KINDS, USB_TABLET
from nova_vhard.catalogue.guests import (
    BUSES,
    SCSI,
    SCSI_CONTROLLERS,
    USB,
    X86,
)
from nova_vhard.catalogue.machines import NOVA_MACHINE_TYPES
from nova_vhard.common.text import clean, quote
from nova_vhard.policy.hardware import (
    CDROM,
    CONFIG_DRIVE,
    DISK,
    DISPLAY,
    FLAVOR,
    FLOPPY,
    NEW_DISK,
    NIC,
    SERVER,
    Device,
    DeviceChoice,
    HardwareRequest,
)
from nova_vhard.policy.model import Assume

#: Device type that each kind applies to. A value has no effect if the guest
#: has no such device: Nova records a CD-ROM's bus with each server, and
#: snapshots inherit it.
DEVICE_OF: Mapping[str, str] = MappingProxyType(
    {
        "disk_bus": DISK,
        "cdrom_bus": CDROM,
        "floppy_bus": FLOPPY,
        "vif_model": NIC,
        "video_model": DISPLAY,
    }
)

#: Other kinds that have no effect unless ``implied`` yields a default.
NOT_OF_EVERY_GUEST = frozenset(
    (
        *("input_bus", "mem_encryption_model", "pmu", "pointer_model"),
        *("rng", "rng_model", "scsi_model", "tpm_model"),
    )
)

# ``[DEFAULT] force_config_drive`` of nova-compute adds it to new guests, on a
# CD-ROM whose bus depends on the machine type (bypass 6).
_ALWAYS = Device(
    CDROM, CONFIG_DRIVE, "a config drive, which this cloud always adds"
)

# The name that an image says each kind by.
_SETTINGS = {
    name: (*kind.image_properties, *kind.extra_specs)[0]
    for name, kind in KINDS.items()
    if kind.image_properties or kind.extra_specs
}

_SCSI_CDROM = frozenset(
    ("ppc", "ppc64", "ppcle", "ppc64le", "s390", "s390x", "aarch64")
)
# Nova adds a VGA card to these, and never removes their USB controller.
_PPC = frozenset(("ppc", "ppc64", "ppc64le"))
_MACHINE_NAMES = frozenset(("hw_machine_type", "hw_architecture"))
_ARCHITECTURE_NAMES = frozenset(
    ("hw_architecture", "hw_emulation_architecture")
)
#: Names of block device lists, in an image or in the body of a boot request.
LISTS = frozenset(
    (
        "block_device_mapping",
        "block_device_mapping_v2",
        "img_block_device_mapping",
        "img_mappings",
        "mappings",
    )
)
# Settings that give a guest a CD-ROM, or that decide its bus.
_CDROM_NAMES = (
    _MACHINE_NAMES
    | LISTS
    | {"hw_cdrom_bus", "img_config_drive", "disk_format"}
)


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
    """Return the guest's machine type, or None if it is not set."""
    if request.machine_type is not None:
        return request.machine_type
    arch = architecture(request, assume)
    # As ``get_default_machine_type``: ``[libvirt] hw_machine_type`` first,
    # then Nova's table by architecture. ``hw_emulation_architecture`` does not
    # count.
    return assume.machine_type.get(arch) or NOVA_MACHINE_TYPES.get(arch)


def with_assumed(request: HardwareRequest, assume: Assume) -> HardwareRequest:
    """Return the request, with a config drive if hosts always add one."""
    # The XML of a domain is complete: a config drive is in it, or there is
    # none.
    if not assume.force_config_drive or request.complete:
        return request
    return request.plus(devices=[_ALWAYS])


def names_of(choice: DeviceChoice, request: HardwareRequest) -> frozenset[str]:
    """Return the names of the devices that a choice applies to.

    :returns: an empty name for the whole guest; an empty set if the guest
        does not have such a device
    """
    device = DEVICE_OF.get(choice.kind)
    # A choice with a device is about a device that exists. So is each choice
    # in the XML of a domain.
    if choice.device or request.complete:
        return frozenset((choice.device,))
    # The value of a bus or model has no effect without such a device.
    # Snapshots inherit hw_cdrom_bus of servers that never had a CD-ROM: to
    # judge it would refuse most snapshots on machine type pc.
    if device is not None:
        return frozenset(each.name for each in request.of_type(device))
    if choice.kind == "pointer_model":
        # Nova records usbtablet for any bus, so check hw_input_bus instead.
        buses = {each.value for each in request.explicit("input_bus")}
        return frozenset(("",) if not buses or USB in buses else ())
    return frozenset(("",))


def implied(
    request: HardwareRequest,
    assume: Assume,
    kinds: Collection[str] = KINDS,
) -> Iterator[DeviceChoice]:
    """Yield Nova's default for each kind that the request does not set.

    Devices that the guest does not have are skipped. If libosinfo may choose
    the value by ``os_distro``, the value is None (unknown).

    :param request: the explicit choices, see ``with_assumed``
    :param assume: the host settings that the policy assumes
    :param kinds: kinds to return; the result may include others
    """
    if request.complete:
        return
    # Computed once: each default below asks for it.
    stated = _stated(request)
    # A controller depends on the buses of all devices, the default ones
    # included. So compute these even where no rule is about a bus.
    controllers = "scsi_model" in kinds or "usb_model" in kinds
    choices = [
        choice
        for kind, pick in _PICKS
        if (kind not in stated or kind in _EMPTY_IS_UNSET)
        and (kind in kinds or (controllers and kind in _ON_CONTROLLERS))
        for choice in pick(request, assume)
    ]
    yield from choices
    # With hw_scsi_model Nova writes the controller itself
    # (``_get_scsi_controller`` in its driver). Without it libvirt adds one,
    # which Nova never sees.
    if "scsi_model" in kinds and "scsi_model" not in stated:
        yield from _scsi(request, choices, assume)
    # Also if hw_usb_model is set: for a device on usb Nova lets libvirt choose
    # the model (``_guest_add_usb_root_controller``).
    if "usb_model" in kinds:
        yield from _usb(request, choices, assume)


def _stated(request: HardwareRequest) -> set[str]:
    """Return the kinds that the image sets by a property.

    The bus of a single block device, even one in the image's mappings, does
    not count: it is not a default for the other devices.
    """
    return {
        choice.kind
        for choice in request.choices
        if _SETTINGS.get(choice.kind) in choice.names
    }


def default_choice(
    request: HardwareRequest,
    kind: str,
    value: str | None,
    why: str,
    names: Iterable[str] = (),
) -> DeviceChoice:
    """Return the choice that a default stands for.

    :param why: who picks the value, in words
    :param names: of further settings that it depends on
    """
    setting = _SETTINGS[kind]
    where, what = request.origin, "property"
    # The fix must name what the user can set: hw_rng:allowed is a flavor's.
    if not KINDS[kind].image_properties:
        where, what = FLAVOR, "extra spec"
    return DeviceChoice(
        kind=kind,
        value=value,
        source=f"{where} {what} {setting} (not set)",
        setting=setting,
        origin=where,
        names=frozenset(names) | {setting},
        implied=why,
        holder=request.holder,
    )


def _machine(
    request: HardwareRequest, assume: Assume
) -> Iterator[DeviceChoice]:
    machine = machine_type(request, assume)
    arch = architecture(request, assume)
    why = (
        "this cloud's hosts pick "
        f"{clean(machine or 'the default machine type')} on {clean(arch)}"
    )
    yield default_choice(request, "machine_type", machine, why, _MACHINE_NAMES)


def _by_distro(
    request: HardwareRequest, kind: str, what: str
) -> Iterator[DeviceChoice]:
    why = (
        f"libosinfo may pick any {what} for "
        f"os_distro={quote(request.os_distro)}"
    )
    yield default_choice(
        request, kind, None, why, ("os_distro", "vmware_ostype")
    )


def _disk(request: HardwareRequest, assume: Assume) -> Iterator[DeviceChoice]:
    if not request.of_type(DISK):
        return
    # ``HardwareProperties`` in nova/virt/osinfo.py asks the host's libosinfo,
    # if it is installed there. Its database differs between hosts, so the
    # value is not known here (bypass 5).
    if request.os_distro and assume.libosinfo:
        yield from _by_distro(request, "disk_bus", "disk bus")
        return
    # For virt_type kvm and qemu. Other virt_types cannot be assumed
    # (schema.py).
    why = "Nova picks virtio for a disk"
    yield default_choice(
        request, "disk_bus", "virtio", why, ("vmware_adaptertype",)
    )


def cdrom_bus(request: HardwareRequest, assume: Assume) -> tuple[str, str]:
    """Return the bus that Nova picks for a CD-ROM, and why, in words."""
    arch = architecture(request, assume)
    # By hw_architecture: Nova calls ``get_arch`` here, not
    # ``_check_emulation_arch``.
    if arch in _SCSI_CDROM:
        return "scsi", f"on {clean(arch)}"
    # For an architecture without a default Nova writes no machine type, and
    # QEMU takes its own. Nova then picks ide, as for pc.
    machine = machine_type(request, assume) or "pc"
    # A part of the name, as Nova tests it: pc-q35-10.0 is q35.
    bus = "sata" if "q35" in machine else "ide"
    return bus, f"on machine type {clean(machine)}"


def _cdrom(request: HardwareRequest, assume: Assume) -> Iterator[DeviceChoice]:
    # One choice for all CD-ROMs: ``names_of`` finds each one without a bus.
    for device in request.of_type(CDROM)[:1]:
        bus, where = cdrom_bus(request, assume)
        why = f"Nova picks {bus} for a CD-ROM ({clean(device.why)}) {where}"
        yield default_choice(request, "cdrom_bus", bus, why, _CDROM_NAMES)


def _floppy(
    request: HardwareRequest, assume: Assume
) -> Iterator[DeviceChoice]:
    for device in request.of_type(FLOPPY)[:1]:
        why = f"Nova picks fdc for a floppy ({clean(device.why)})"
        yield default_choice(request, "floppy_bus", "fdc", why, LISTS)


def _card(request: HardwareRequest, assume: Assume) -> Iterator[DeviceChoice]:
    if not request.of_type(NIC):
        return
    # As for a disk: ``HardwareProperties`` in nova/virt/osinfo.py asks
    # libosinfo before ``use_virtio_for_bridges`` counts.
    if request.os_distro and assume.libosinfo:
        yield from _by_distro(request, "vif_model", "network card")
    elif assume.use_virtio_for_bridges:
        why = "Nova picks virtio for a network card"
        yield default_choice(request, "vif_model", "virtio", why)
    else:
        # Nova writes no model then (``get_base_config`` of its
        # LibvirtGenericVIFDriver), and libvirt chooses.
        why = "libvirt picks rtl8139 for a network card"
        yield default_choice(request, "vif_model", "rtl8139", why)


def _video(request: HardwareRequest, assume: Assume) -> Iterator[DeviceChoice]:
    if not request.of_type(DISPLAY):
        return
    arch = qemu_architecture(request, assume)
    # Elsewhere Nova returns None or virtio, and None becomes the default of
    # LibvirtConfigGuestVideo.type, which is virtio as well.
    model = "vga" if arch in _PPC else "virtio"
    why = f"Nova picks {model} for a graphics card on {clean(arch)}"
    yield default_choice(
        request, "video_model", model, why, _ARCHITECTURE_NAMES
    )


def _input(request: HardwareRequest, assume: Assume) -> Iterator[DeviceChoice]:
    """Yield the bus of the keyboard or tablet that Nova adds."""
    if not request.of_type(DISPLAY):
        return
    arch = qemu_architecture(request, assume)
    # Any value of hw_pointer_model counts, as in
    # ``_get_pointer_bus_and_model``.
    tablet = _asked(request, "pointer_model")
    names = _ARCHITECTURE_NAMES | {"hw_pointer_model"}
    # First: Nova adds the keyboard whatever the pointer is.
    if arch == "aarch64":
        why = f"Nova picks usb for a keyboard on {clean(arch)}"
        yield default_choice(request, "input_bus", "usb", why, names)
    elif tablet or assume.pointer_model == USB_TABLET:
        where = "hw_pointer_model" if tablet else "[DEFAULT] pointer_model"
        why = f"Nova picks usb for the tablet that {where} requests"
        yield default_choice(request, "input_bus", "usb", why, names)


def _pointer(
    request: HardwareRequest, assume: Assume
) -> Iterator[DeviceChoice]:
    if (
        request.of_type(DISPLAY)
        and assume.pointer_model == USB_TABLET
        and "input_bus" not in _stated(request)
    ):
        why = f"this cloud's hosts pick {USB_TABLET}"
        yield default_choice(
            request, "pointer_model", USB_TABLET, why, ("hw_input_bus",)
        )


def _rng(request: HardwareRequest, assume: Assume) -> Iterator[DeviceChoice]:
    """Yield the device that Nova adds unless the flavor disables it."""
    # Only with a flavor. An image alone, at the upload, cannot say whether a
    # guest gets one.
    if _has_rng(request) and not request.explicit("rng"):
        why = "Nova adds a random number generator to each guest"
        yield default_choice(request, "rng", "true", why)


def _rng_model(
    request: HardwareRequest, assume: Assume
) -> Iterator[DeviceChoice]:
    if _has_rng(request):
        why = "Nova picks virtio for a random number generator"
        yield default_choice(request, "rng_model", "virtio", why)


def _has_rng(request: HardwareRequest) -> bool:
    return request.has_flavor and all(
        each.value == "true" for each in request.explicit("rng")
    )


def _pmu(request: HardwareRequest, assume: Assume) -> Iterator[DeviceChoice]:
    """Yield QEMU's default, which depends on the guest's CPU mode."""
    if not request.has_flavor or _asked(request, "pmu"):
        return
    arch = qemu_architecture(request, assume)
    # Nova writes no <pmu> if neither flavor nor image sets it
    # (``get_pmu_constraint``).
    has = arch not in X86 or assume.cpu_mode == "host-passthrough"
    why = f"QEMU picks {str(has).lower()} with this cloud's cpu_mode on {arch}"
    yield default_choice(
        request, "pmu", str(has).lower(), why, _ARCHITECTURE_NAMES
    )


def _firmware(
    request: HardwareRequest, assume: Assume
) -> Iterator[DeviceChoice]:
    arch = qemu_architecture(request, assume)
    # Nova sets UEFI by default only there (``_configure_guest_by_virt_type``).
    firmware = "uefi" if arch == "aarch64" else "bios"
    why = f"Nova picks {firmware} on {clean(arch)}"
    yield default_choice(
        request, "firmware_type", firmware, why, _ARCHITECTURE_NAMES
    )


def _tpm(request: HardwareRequest, assume: Assume) -> Iterator[DeviceChoice]:
    # ``get_vtpm_constraint`` looks at the version first: without one there is
    # no TPM, even if a model is set.
    if _asked(request, "tpm_version") and not _asked(request, "tpm_model"):
        why = "Nova picks tpm-tis for a TPM"
        yield default_choice(
            request, "tpm_model", "tpm-tis", why, ("hw_tpm_version",)
        )


def _encryption(
    request: HardwareRequest, assume: Assume
) -> Iterator[DeviceChoice]:
    wanted = request.explicit("mem_encryption")
    # Either the image or the flavor is enough
    # (``get_mem_encryption_constraint``).
    if any(choice.value == "true" for choice in wanted) and not _asked(
        request, "mem_encryption_model"
    ):
        why = "Nova picks amd-sev for encrypted memory"
        yield default_choice(
            request,
            "mem_encryption_model",
            "amd-sev",
            why,
            ("hw_mem_encryption",),
        )


def _asked(request: HardwareRequest, kind: str) -> bool:
    """Return whether the image or the flavor asks for one."""
    return any(
        choice.kind == kind and choice.value for choice in request.choices
    )


# Function that yields the default of a kind, unless the image sets the kind.
_PICKS: tuple[
    tuple[str, Callable[[HardwareRequest, Assume], Iterator[DeviceChoice]]],
    ...,
] = (
    ("machine_type", _machine),
    ("disk_bus", _disk),
    ("cdrom_bus", _cdrom),
    ("floppy_bus", _floppy),
    ("vif_model", _card),
    ("video_model", _video),
    ("input_bus", _input),
    ("pointer_model", _pointer),
    ("firmware_type", _firmware),
    ("tpm_model", _tpm),
    ("mem_encryption_model", _encryption),
    ("rng", _rng),
    ("rng_model", _rng_model),
    ("pmu", _pmu),
)
# Nova treats an empty value of these as unset (get_vtpm_constraint).
_EMPTY_IS_UNSET = frozenset(("mem_encryption_model", "tpm_model"))
# Kinds that may need a SCSI or USB controller.
_ON_CONTROLLERS = BUSES | {"input_bus"}


def _scsi(
    request: HardwareRequest, defaults: Iterable[DeviceChoice], assume: Assume
) -> Iterator[DeviceChoice]:
    own, of_rescue = _on_bus(SCSI, request, defaults, assume)
    # No device on scsi, no controller: hw_disk_bus=virtio needs none.
    if not own and not of_rescue:
        return
    # Say why there is a scsi bus at all: the image of a rebuild may not
    # mention it (bypass 31).
    where = ""
    if not own:
        where = ", for the rescue disk"
    elif own[0].origin == SERVER:
        where = f", for {clean(own[0].setting)}"
    arch = qemu_architecture(request, assume)
    model = scsi_controller(arch)
    why = (
        f"libvirt picks {model} as the SCSI controller on {clean(arch)}{where}"
    )
    choice = default_choice(
        request,
        "scsi_model",
        model,
        why,
        _ARCHITECTURE_NAMES.union(
            ("hw_disk_bus", "hw_cdrom_bus", "hw_rescue_bus")
        ),
    )
    # If only a new volume needs the controller, the server has none yet.
    disks = {each.device for each in (*own, *of_rescue)}
    yield replace(choice, device=NEW_DISK if disks == {NEW_DISK} else "")


def scsi_controller(arch: str) -> str:
    """Return the model that libvirt picks as the controller of a scsi bus."""
    return SCSI_CONTROLLERS.get(arch, SCSI_CONTROLLERS[""])


def _on_bus(
    bus: str,
    request: HardwareRequest,
    defaults: Iterable[DeviceChoice],
    assume: Assume,
) -> tuple[list[DeviceChoice], list[DeviceChoice]]:
    """Return the guest's own choices on a bus, and its rescue disk's."""
    own = [
        choice
        for choice in (*request.choices, *defaults)
        if choice.value == bus
        and choice.kind in _ON_CONTROLLERS
        # Only for devices that the guest has, see ``names_of``.
        and names_of(choice, request)
    ]
    # The bus comes from the rescue image, the controller from the server's
    # own.
    disk = request.rescue_disk
    if disk is None:
        return own, []
    return own, [
        choice
        for choice in (*disk.choices, *implied(disk, assume))
        if choice.value == bus
        and choice.kind in BUSES
        and (disk.only is None or choice.kind in disk.only)
    ]


def _usb(
    request: HardwareRequest, defaults: Iterable[DeviceChoice], assume: Assume
) -> Iterator[DeviceChoice]:
    """Yield the USB controller of a guest that needs one.

    libvirt chooses it, regardless of ``hw_usb_model``.
    """
    own, of_rescue = _on_bus(USB, request, defaults, assume)
    on_usb = [*own, *of_rescue]
    arch = qemu_architecture(request, assume)
    # Nova writes model none then, or the one of hw_usb_model, which is a
    # choice. On PPC it never writes none (``_guest_add_usb_root_controller``).
    if not on_usb and arch not in _PPC:
        return
    # Measured on x86; other architectures follow libvirt's source.
    model = "piix3-uhci" if arch in X86 else "qemu-xhci"
    what = KINDS[on_usb[0].kind].title if on_usb else "guest"
    why = f"libvirt picks {model} as the USB controller for the {what}"
    names = frozenset(("hw_input_bus",)).union(*(c.names for c in on_usb))
    yield default_choice(
        request, "usb_model", model, why, _ARCHITECTURE_NAMES | names
    )
