# SPDX-License-Identifier: Apache-2.0
"""QEMU's devices: which of them serve what Nova lets somebody choose.

Data only. Names are those of ``-device help``; a test holds them against the
lists of a real QEMU. Symbols are those of QEMU's own Kconfig files (read in
QEMU 10.0): the smallest parts that a build can leave out. Nova's names are
those of ``devices.py``, in the spelling that its readers give.
"""

from collections.abc import Mapping

from nova_vhard.catalogue.kinds import words


def _virtio(name: str) -> tuple[str, ...]:
    """Return a virtio device on each of its buses."""
    buses = words("pci pci-transitional pci-non-transitional device ccw")
    return tuple(f"virtio-{name}-{bus}" for bus in buses)


_FLOPPY = words("isa-fdc floppy")
# What is on a USB bus needs a controller, and where the guest names none
# libvirt picks one of these, by machine and version.
_USB = words(
    "qemu-xhci usb-ehci pci-ohci piix3-usb-uhci piix4-usb-uhci "
    "ich9-usb-ehci1 ich9-usb-ehci2 ich9-usb-uhci1 ich9-usb-uhci2 "
    "ich9-usb-uhci3 ich9-usb-uhci4 ich9-usb-uhci5 ich9-usb-uhci6"
)
# libvirt adds a hub for a third device, behind tablet and keyboard.
_USB_MORE = ("usb-hub", *_USB)


def _buses(ata: str, scsi: str) -> Mapping[str, tuple[str, ...]]:
    """Return the buses of block devices, and what each needs.

    :param ata: devices for it on the buses ``ide`` and ``sata``
    :param scsi: devices for it on the bus ``scsi``
    """
    return {
        "fdc": _FLOPPY,
        "ide": words(f"piix3-ide piix4-ide isa-ide {ata}"),
        "sata": words(f"ich9-ahci {ata}"),
        "scsi": words(scsi),
        "usb": (*words("usb-storage usb-bot usb-uas"), *_USB_MORE),
        "virtio": _virtio("blk"),
        "xen": words("xen-disk xen-cdrom"),
        # Containers and User-mode Linux have no QEMU device.
        "lxc": (),
        "uml": (),
    }


_DISK = _buses("ide-hd", "scsi-hd")
_USAGES = {
    "cdrom": (),
    "disk": (),
    "floppy": _FLOPPY,
    # A folder of the host in a container.
    "fs": (),
    "lun": words("scsi-block scsi-generic"),
}

_HDA = words("hda-duplex hda-micro hda-output")
_WATCHDOG = words("i6300esb diag288")
_VIRTIO_IOMMU = words("virtio-iommu-pci virtio-iommu-device")

#: Device kind to Nova's value to the devices of QEMU that serve it: each of
#: them is of use to some guest with that value. A kind that is not here
#: (``secure_boot``, ``machine_type``, …) chooses no device by itself.
DEVICES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "disk_bus": _DISK,
    # libvirt refuses a CD-ROM on a virtio bus, which has no ejectable media.
    "cdrom_bus": {**_buses("ide-cd", "scsi-cd"), "virtio": ()},
    # libvirt refuses a floppy on any bus but that of its controller.
    "floppy_bus": {**dict.fromkeys(_DISK, ()), "fdc": _FLOPPY},
    # A rescue is plugged in as either, by a rule of its own.
    "rescue_bus": _buses("ide-hd ide-cd", "scsi-hd scsi-cd"),
    "rescue_device": _USAGES,
    "device_type": _USAGES,
    "file_system": {"virtiofs": ("vhost-user-fs-pci",)},
    "scsi_model": {
        "buslogic": (),
        "ibmvscsi": ("spapr-vscsi",),
        "lsilogic": words("lsi53c895a lsi53c810"),
        "lsisas1068": ("mptsas1068",),
        "lsisas1078": words("megasas megasas-gen2"),
        "virtio-scsi": _virtio("scsi"),
        "vmpvscsi": ("pvscsi",),
    },
    "vif_model": {
        "e1000": words("e1000 e1000-82544gc e1000-82545em"),
        "e1000e": ("e1000e",),
        "igb": ("igb",),
        # Part of boards, and nothing that -device can add.
        "lan9118": (),
        "ne2k_pci": words("ne2k_pci ne2k_isa"),
        "netfront": ("xen-net-device",),
        "pcnet": ("pcnet",),
        "rtl8139": ("rtl8139",),
        "spapr-vlan": ("spapr-vlan",),
        # VMware's names for what its own hypervisor has.
        "sriov": (),
        "vmxnet": (),
        "virtio": _virtio("net"),
        "vmxnet3": ("vmxnet3",),
    },
    "video_model": {
        "bochs": ("bochs-display",),
        "cirrus": words("cirrus-vga isa-cirrus-vga"),
        "gop": (),
        "none": (),
        "qxl": words("qxl qxl-vga"),
        "vga": words("VGA secondary-vga isa-vga"),
        "virtio": words(
            "virtio-gpu-pci virtio-gpu-device virtio-gpu-ccw virtio-vga "
            "virtio-gpu-gl-pci virtio-gpu-gl-device virtio-vga-gl"
        ),
        "vmvga": ("vmware-svga",),
        # A back end, and nothing that -device can add.
        "xen": (),
    },
    "input_bus": {
        "usb": (*words("usb-tablet usb-kbd usb-mouse"), *_USB),
        "virtio": words(
            "virtio-tablet-pci virtio-tablet-device virtio-tablet-ccw "
            "virtio-keyboard-pci virtio-keyboard-device virtio-keyboard-ccw "
            "virtio-mouse-pci virtio-mouse-device virtio-mouse-ccw"
        ),
    },
    "pointer_model": {"usbtablet": ("usb-tablet", *_USB)},
    "usb_model": {
        "none": (),
        # Its symbol selects that of the other.
        "nec-xhci": words("nec-usb-xhci qemu-xhci"),
        "qemu-xhci": ("qemu-xhci",),
    },
    # Any number of ports but none.
    "redirected_usb_ports": {"1": ("usb-redir", *_USB_MORE)},
    "sound_model": {
        "ac97": ("AC97",),
        "es1370": ("ES1370",),
        "ich6": ("intel-hda", *_HDA),
        "ich9": ("ich9-intel-hda", *_HDA),
        # Part of machines, and nothing that -device can add.
        "pcspk": (),
        "sb16": ("sb16",),
        "usb": ("usb-audio", *_USB_MORE),
        "virtio": words("virtio-sound-pci virtio-sound-device"),
    },
    "rng_model": {"virtio": _virtio("rng")},
    "watchdog_action": {
        "disabled": (),
        "none": _WATCHDOG,
        "pause": _WATCHDOG,
        "poweroff": _WATCHDOG,
        "reset": _WATCHDOG,
    },
    "tpm_model": {
        "tpm-crb": ("tpm-crb",),
        "tpm-tis": words("tpm-tis tpm-tis-device"),
    },
    "viommu_model": {
        # Nova takes virtio with libvirt 8.3, else what the machine has.
        "auto": (*_VIRTIO_IOMMU, "intel-iommu", "arm-smmuv3"),
        "intel": ("intel-iommu",),
        "smmuv3": ("arm-smmuv3",),
        "virtio": _VIRTIO_IOMMU,
    },
}

# Of s390x and ppc64; and a part of Arm's machine, that nobody adds.
_OTHERS = frozenset(
    (
        "arm-smmuv3",
        "diag288",
        "spapr-vlan",
        "spapr-vscsi",
        *(
            f"virtio-{name}-ccw"
            for name in (*words("blk scsi net rng gpu tablet keyboard mouse"),)
        ),
    )
)

#: Architecture to the devices that QEMU offers on other machines than its.
#: Arm's have no ISA bus, and no VGA of virtio's.
ELSEWHERE: Mapping[str, frozenset[str]] = {
    "x86_64": _OTHERS | {"tpm-tis-device"},
    "aarch64": _OTHERS
    | set(
        words(
            "floppy isa-fdc isa-ide isa-vga isa-cirrus-vga ne2k_isa sb16 "
            "piix3-ide piix4-ide tpm-crb tpm-tis intel-iommu virtio-vga "
            "virtio-vga-gl vmware-svga xen-disk xen-cdrom xen-net-device"
        )
    ),
}

_SYMBOLS = {
    "AC97": "AC97",
    "AHCI_ICH9": "ich9-ahci",
    "ARM_SMMUV3": "arm-smmuv3",
    "BOCHS_DISPLAY": "bochs-display",
    "E1000E_PCI_EXPRESS": "e1000e",
    "E1000_PCI": "e1000 e1000-82544gc e1000-82545em",
    "ES1370": "ES1370",
    "FDC": "floppy",
    "FDC_ISA": "isa-fdc",
    "HDA": "intel-hda ich9-intel-hda hda-duplex hda-micro hda-output",
    "IDE_DEV": "ide-hd ide-cd",
    "IDE_ISA": "isa-ide",
    "IDE_PIIX": "piix3-ide piix4-ide",
    "IGB_PCI_EXPRESS": "igb",
    "LSI_SCSI_PCI": "lsi53c895a lsi53c810",
    "MEGASAS_SCSI_PCI": "megasas megasas-gen2",
    "MPTSAS_SCSI_PCI": "mptsas1068",
    "NE2000_ISA": "ne2k_isa",
    "NE2000_PCI": "ne2k_pci",
    "PCNET_PCI": "pcnet",
    "QXL": "qxl qxl-vga",
    "RTL8139_PCI": "rtl8139",
    "SB16": "sb16",
    "SCSI": "scsi-hd scsi-cd scsi-block scsi-generic",
    "SPAPR_VSCSI": "spapr-vscsi",
    "TPM_CRB": "tpm-crb",
    "TPM_TIS_ISA": "tpm-tis",
    "TPM_TIS_SYSBUS": "tpm-tis-device",
    "USB_AUDIO": "usb-audio",
    "USB_EHCI_PCI": "usb-ehci ich9-usb-ehci1 ich9-usb-ehci2",
    "USB_HID": "usb-tablet usb-kbd usb-mouse",
    "USB_HUB": "usb-hub",
    "USB_OHCI_PCI": "pci-ohci",
    "USB_STORAGE_BOT": "usb-bot",
    "USB_STORAGE_CLASSIC": "usb-storage",
    "USB_STORAGE_UAS": "usb-uas",
    "USB_UHCI": "piix3-usb-uhci piix4-usb-uhci ich9-usb-uhci1 "
    "ich9-usb-uhci2 ich9-usb-uhci3 ich9-usb-uhci4 ich9-usb-uhci5 "
    "ich9-usb-uhci6",
    "USB_XHCI_NEC": "nec-usb-xhci",
    "USB_XHCI_PCI": "qemu-xhci",
    "VGA_CIRRUS": "cirrus-vga isa-cirrus-vga",
    "VGA_ISA": "isa-vga",
    "VGA_PCI": "VGA secondary-vga",
    "VHOST_USER_FS": "vhost-user-fs-pci",
    "VIRTIO_BLK": " ".join(_virtio("blk")),
    "VIRTIO_GPU": "virtio-gpu-pci virtio-gpu-device virtio-gpu-ccw "
    "virtio-gpu-gl-pci virtio-gpu-gl-device",
    "VIRTIO_INPUT": " ".join(DEVICES["input_bus"]["virtio"]),
    "VIRTIO_IOMMU": "virtio-iommu-pci virtio-iommu-device",
    "VIRTIO_NET": " ".join(_virtio("net")),
    "VIRTIO_RNG": " ".join(_virtio("rng")),
    "VIRTIO_SCSI": " ".join(_virtio("scsi")),
    "VIRTIO_SND": "virtio-sound-pci virtio-sound-device",
    "VIRTIO_VGA": "virtio-vga virtio-vga-gl",
    "VMWARE_VGA": "vmware-svga",
    "VMW_PVSCSI_SCSI_PCI": "pvscsi",
    "VMXNET3_PCI": "vmxnet3",
    "VTD": "intel-iommu",
    "WDT_DIAG288": "diag288",
    "WDT_IB6300ESB": "i6300esb",
    "XEN_BUS": "xen-disk xen-cdrom xen-net-device",
}

#: Device of QEMU's to the symbol without which it is not built. Devices of
#: one symbol can be left out together only. One that is not here has no
#: symbol of its own.
KCONFIG: Mapping[str, str] = {
    device: symbol
    for symbol, devices in _SYMBOLS.items()
    for device in devices.split()
}

#: Machine type to the symbols that it selects: no build that has the machine
#: can leave them out.
SELECTED: Mapping[str, frozenset[str]] = {
    "pc": frozenset(("IDE_DEV", "IDE_PIIX", "USB_UHCI")),
    "q35": frozenset(("AHCI_ICH9", "IDE_DEV")),
    "virt": frozenset(("ARM_SMMUV3",)),
}

#: Machine type to what the names of its versions begin with.
VERSIONS: Mapping[str, str] = {
    "q35": "pc-q35-",
    "pc": "pc-i440fx-",
    "virt": "virt-",
}

#: Device to the source file, the variable of its type and the line (in QEMU
#: 10.0; a patch looks around it) that registers it: what QEMU's own
#: configuration leaves out only together with others of its symbol, and a
#: patch to that file by itself. So q35 selects the symbol of ``ide-hd``,
#: which is that of the SATA CD-ROM.
TYPES: Mapping[str, tuple[str, str, int]] = {
    "VGA": ("hw/display/vga-pci.c", "vga_info", 423),
    "ide-hd": ("hw/ide/ide-dev.c", "ide_hd_info", 262),
    "scsi-block": ("hw/scsi/scsi-disk.c", "scsi_block_info", 3365),
    "scsi-generic": ("hw/scsi/scsi-generic.c", "scsi_generic_info", 813),
    "secondary-vga": ("hw/display/vga-pci.c", "secondary_info", 424),
}

#: Symbol to those of ``KCONFIG`` that it selects: who has it has them.
SELECTS: Mapping[str, frozenset[str]] = {
    "AHCI_ICH9": frozenset(("IDE_DEV",)),
    "FDC_ISA": frozenset(("FDC",)),
    "IDE_ISA": frozenset(("IDE_DEV",)),
    "IDE_PIIX": frozenset(("IDE_DEV",)),
    "LSI_SCSI_PCI": frozenset(("SCSI",)),
    "MEGASAS_SCSI_PCI": frozenset(("SCSI",)),
    "MPTSAS_SCSI_PCI": frozenset(("SCSI",)),
    "SPAPR_VSCSI": frozenset(("SCSI",)),
    "USB_STORAGE_BOT": frozenset(("SCSI",)),
    "USB_STORAGE_CLASSIC": frozenset(("SCSI",)),
    "USB_STORAGE_UAS": frozenset(("SCSI",)),
    "USB_XHCI_NEC": frozenset(("USB_XHCI_PCI",)),
    "VIRTIO_SCSI": frozenset(("SCSI",)),
    "VMW_PVSCSI_SCSI_PCI": frozenset(("SCSI",)),
}

#: Symbol to those that it needs, though its own Kconfig does not say so:
#: virtio-vga calls functions of the PCI VGA, and is not linked without.
LINKED: Mapping[str, tuple[str, ...]] = {"VIRTIO_VGA": ("VGA_PCI",)}


# Architecture to the buses of block devices that its machines have not.
_NO_BUS: Mapping[str, frozenset[str]] = {"aarch64": frozenset(("ide", "fdc"))}


def served(kind: str, value: str, arch: str) -> tuple[str, ...]:
    """Return the QEMU devices that implement one of Nova's values.

    :param kind: device kind, a key of ``DEVICES``
    :param arch: of the guests; empty for any
    """
    if kind.endswith("_bus") and value in _NO_BUS.get(arch, ()):
        return ()
    elsewhere = ELSEWHERE.get(arch, frozenset())
    return tuple(
        device for device in DEVICES[kind][value] if device not in elsewhere
    )


def part(device: str) -> str:
    """Return the smallest part of a build that a device comes with.

    A symbol, or the device's own name where it comes and goes alone.
    """
    return device if device in TYPES else KCONFIG.get(device, device)


def family(machine: str) -> str:
    """Return ``q35`` for ``pc-q35-9.2``, ``pc`` for ``pc-i440fx-9.2``."""
    for name, versions in VERSIONS.items():
        if machine.startswith(versions):
            return name
    return "pc" if machine.startswith("pc-") else machine
