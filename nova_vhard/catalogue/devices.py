# SPDX-License-Identifier: Apache-2.0
"""Every device kind: what Nova lets an image, flavor or caller choose.

Data only; CONTRIBUTING.rst lists the other places of a kind. The values and
spellings are those of ``nova/objects/fields.py`` and
``nova/objects/image_meta.py`` (Nova 31 to 34); a test holds them against the
Nova that is installed.
"""

import functools
from collections.abc import Mapping

from nova_vhard.catalogue.kinds import DeviceKind, words

#: The only pointer device that Nova adds, and the kinds that depend on it.
USB_TABLET = "usbtablet"
BY_POINTER = ("input_bus", "pointer_model", "usb_model")

_DISK_BUSES = words("fdc ide sata scsi usb virtio xen lxc uml")

_ARCHITECTURES = words(
    "alpha armv6 armv7l armv7b aarch64 cris i686 ia64 lm32 m68k "
    "microblaze microblazeel mips mipsel mips64 mips64el "
    "openrisc parisc parisc64 ppc ppcle ppc64 ppc64le ppcemb "
    "s390 s390x sh4 sh4eb sparc sparc64 unicore32 x86_64 xtensa "
    "xtensaeb"
)

_ARCHITECTURE_ALIASES = {
    "i386": "i686",
    "i486": "i686",
    "i586": "i686",
    "x86_32": "i686",
    "x86_32p": "i686",
    "amd64": "x86_64",
}

_signature = functools.partial(
    DeviceKind,
    fix="sign the image with a key whose certificate the cloud trusts, and "
    "set all four img_signature properties when it is uploaded",
    unset="the image's signature cannot be verified",
    of_file=True,
)

_KINDS = (
    DeviceKind(
        name="disk_bus",
        title="disk bus",
        why="emulated disk controllers have had guest escapes",
        needs="on virtio or scsi, only a guest with virtio drivers boots "
        "(Linux has them; Windows gets them from virtio-win)",
        values=_DISK_BUSES,
        image_properties=("hw_disk_bus",),
        block_device=True,
    ),
    DeviceKind(
        name="cdrom_bus",
        title="CD-ROM bus",
        why="an IDE CD-ROM exposes QEMU's IDE and ATAPI code",
        values=_DISK_BUSES,
        image_properties=("hw_cdrom_bus",),
        block_device=True,
    ),
    DeviceKind(
        name="floppy_bus",
        title="floppy bus",
        why="the floppy controller had VENOM (CVE-2015-3456)",
        needs="a disk or a config drive can carry the data",
        values=_DISK_BUSES,
        image_properties=("hw_floppy_bus",),
        block_device=True,
    ),
    DeviceKind(
        name="rescue_bus",
        title="bus of the rescue disk",
        why="a rescue adds the controller of this bus",
        values=_DISK_BUSES,
        image_properties=("hw_rescue_bus",),
        unset="the guest has none",
    ),
    DeviceKind(
        name="rescue_device",
        title="kind of rescue device",
        why="a floppy, a CD-ROM or a lun adds its controller",
        values=("cdrom", "disk", "floppy", "fs", "lun"),
        image_properties=("hw_rescue_device",),
        unset="the guest has none",
    ),
    DeviceKind(
        name="device_type",
        title="kind of block device",
        why="a lun hands SCSI commands to the host; a floppy adds its "
        "controller",
        values=("cdrom", "disk", "floppy", "fs", "lun"),
        block_device=True,
        unset="the guest has none",
    ),
    DeviceKind(
        name="file_system",
        title="shared file system",
        why="virtiofsd on the host serves the guest's requests",
        fix="mount the share in the guest, over the network",
        values=("virtiofs",),
        unset="the guest has none",
    ),
    DeviceKind(
        name="scsi_model",
        title="SCSI controller",
        why="LSI, MegaRAID and pvscsi emulate hardware in full",
        needs="with virtio-scsi, only a guest with its driver boots",
        values=words(
            "buslogic ibmvscsi lsilogic lsisas1068 lsisas1078 virtio-"
            "scsi vmpvscsi"
        ),
        image_properties=("hw_scsi_model",),
        aliases={"lsilogicsas": "lsisas1068", "paravirtual": "vmpvscsi"},
        fold_case=True,
    ),
    DeviceKind(
        name="config_drive",
        title="config drive",
        why="every boot attaches a CD-ROM or a disk for it",
        needs="the guest can read the metadata service instead",
        values=("mandatory", "optional"),
        image_properties=("img_config_drive",),
    ),
    DeviceKind(
        name="pmem",
        title="virtual persistent memory",
        why="it maps an NVDIMM of the host into the guest",
        value_type="text",
        extra_specs=("hw:pmem",),
        unset="the guest has none",
    ),
    DeviceKind(
        name="vif_model",
        title="network card",
        why="emulated network cards have had guest escapes",
        needs="with virtio, the guest needs the virtio network driver",
        values=words(
            "virtio ne2k_pci pcnet rtl8139 e1000 e1000e netfront spapr-"
            "vlan lan9118 sriov vmxnet vmxnet3 igb"
        ),
        image_properties=("hw_vif_model",),
        aliases={
            "virtuale1000": "e1000",
            "virtuale1000e": "e1000e",
            "virtualpcnet32": "pcnet",
            "virtualsriovethernetcard": "sriov",
            "virtualvmxnet": "vmxnet",
            "virtualvmxnet3": "vmxnet3",
        },
        fold_case=True,
    ),
    DeviceKind(
        name="video_model",
        title="graphics card",
        why="cirrus, vmvga and qxl are large device models",
        values=words("cirrus qxl vga vmvga xen virtio gop none bochs"),
        image_properties=("hw_video_model",),
    ),
    DeviceKind(
        name="input_bus",
        title="bus of keyboard and tablet",
        why="usb adds a USB controller",
        values=("usb", "virtio"),
        image_properties=("hw_input_bus",),
    ),
    DeviceKind(
        name="pointer_model",
        title="pointer",
        why="a USB tablet adds a USB controller",
        needs="without the property, the hosts' [DEFAULT] pointer_model "
        "decides",
        values=(USB_TABLET,),
        image_properties=("hw_pointer_model",),
    ),
    DeviceKind(
        name="usb_model",
        title="USB controller",
        why="a USB controller is a large device model",
        values=("none", "nec-xhci", "qemu-xhci"),
        image_properties=("hw_usb_model",),
        extra_specs=("hw:usb_model",),
        default="none",
    ),
    DeviceKind(
        name="redirected_usb_ports",
        title="number of redirected USB ports",
        why="users of the console could plug in USB devices",
        value_type="int",
        image_properties=("hw_redirected_usb_ports",),
        extra_specs=("hw:redirected_usb_ports",),
        default="0",
    ),
    DeviceKind(
        name="sound_model",
        title="sound card",
        why="emulated sound cards have had guest escapes",
        values=words("sb16 es1370 pcspk ac97 ich6 ich9 usb virtio"),
        image_properties=("hw_sound_model",),
        extra_specs=("hw:sound_model",),
        unset="the guest has none",
    ),
    DeviceKind(
        name="serial_port_count",
        title="number of serial ports",
        why="each port is an emulated UART with a host socket",
        value_type="int",
        image_properties=("hw_serial_port_count",),
        extra_specs=("hw:serial_port_count",),
        default="1",
    ),
    DeviceKind(
        name="guest_agent",
        title="QEMU guest agent channel",
        why="the host parses what the agent answers",
        values=("true", "false"),
        value_type="bool",
        image_properties=("hw_qemu_guest_agent",),
        default="false",
    ),
    DeviceKind(
        name="machine_type",
        title="machine type",
        why="pc always has IDE and floppy controllers",
        needs="a guest on q35 must boot from PCI Express",
        value_type="text",
        image_properties=("hw_machine_type",),
    ),
    DeviceKind(
        name="architecture",
        title="guest architecture",
        why="it decides the machine and with it the devices",
        fix="use an image for the architecture of the cloud's hosts",
        values=_ARCHITECTURES,
        image_properties=("hw_architecture",),
        aliases=_ARCHITECTURE_ALIASES,
        fold_case=True,
    ),
    DeviceKind(
        name="emulation_architecture",
        title="emulated architecture",
        why="QEMU's emulator, TCG, is not a security boundary",
        values=_ARCHITECTURES,
        image_properties=("hw_emulation_architecture",),
        aliases=_ARCHITECTURE_ALIASES,
        fold_case=True,
        unset="the guest has none",
    ),
    DeviceKind(
        name="vm_mode",
        title="guest mode",
        why="any mode but hvm is another interface to the host",
        values=("hvm", "xen", "uml", "exe"),
        image_properties=("hw_vm_mode",),
        aliases={"pv": "xen", "hv": "hvm", "baremetal": "hvm"},
        fold_case=True,
        default="hvm",
    ),
    DeviceKind(
        name="firmware_type",
        title="firmware",
        why="only UEFI can verify what the guest boots",
        needs="a guest that was installed with BIOS does not boot with uefi",
        values=("uefi", "bios"),
        image_properties=("hw_firmware_type",),
    ),
    DeviceKind(
        name="firmware_stateless",
        title="stateless firmware",
        why="malware can hide in variables of the firmware",
        needs="with true, the guest loses its boot entries at each stop",
        values=("true", "false"),
        value_type="bool",
        image_properties=("hw_firmware_stateless",),
        default="false",
    ),
    DeviceKind(
        name="secure_boot",
        title="secure boot",
        why="without it, any boot loader runs",
        needs="secure boot needs hw_firmware_type=uefi and a signed "
        "boot loader",
        values=("required", "disabled", "optional"),
        image_properties=("os_secure_boot",),
        extra_specs=("os:secure_boot",),
        default="disabled",
    ),
    DeviceKind(
        name="boot_menu",
        title="boot menu",
        why="users of the console could boot something else",
        values=("true", "false"),
        value_type="bool",
        image_properties=("hw_boot_menu",),
        extra_specs=("hw:boot_menu",),
        default="false",
    ),
    DeviceKind(
        name="ipxe_boot",
        title="iPXE boot",
        why="it boots firmware that the image brings",
        values=("true", "false"),
        value_type="bool",
        image_properties=("hw_ipxe_boot",),
        default="false",
    ),
    DeviceKind(
        name="hpet",
        title="HPET timer",
        why="current guests do not need this emulated timer",
        values=("true", "false"),
        value_type="bool",
        image_properties=("hw_time_hpet",),
        default="false",
    ),
    DeviceKind(
        name="pmu",
        title="performance monitoring unit",
        why="performance counters help in side-channel attacks",
        values=("true", "false"),
        value_type="bool",
        image_properties=("hw_pmu",),
        extra_specs=("hw:pmu",),
    ),
    DeviceKind(
        name="rng_model",
        title="random number generator",
        why="it is a device, though a small one",
        fix="choose a flavor with hw_rng:allowed=false",
        values=("virtio",),
        image_properties=("hw_rng_model",),
    ),
    DeviceKind(
        name="rng",
        title="random number generator allowed by the flavor",
        why="it is a device, though a small one",
        fix="choose a flavor with hw_rng:allowed=false",
        values=("true", "false"),
        value_type="bool",
        extra_specs=("hw_rng:allowed",),
    ),
    DeviceKind(
        name="watchdog_action",
        title="watchdog",
        why="any value but disabled adds an emulated card",
        values=("none", "pause", "poweroff", "reset", "disabled"),
        image_properties=("hw_watchdog_action",),
        extra_specs=("hw:watchdog_action",),
        default="disabled",
    ),
    DeviceKind(
        name="tpm_model",
        title="TPM interface",
        why="an emulated TPM has a process on the host",
        needs="tpm-crb works with TPM 2.0 only",
        values=("tpm-tis", "tpm-crb"),
        image_properties=("hw_tpm_model",),
        extra_specs=("hw:tpm_model",),
    ),
    DeviceKind(
        name="tpm_version",
        title="TPM version",
        why="TPM 1.2 relies on SHA-1",
        values=("1.2", "2.0"),
        image_properties=("hw_tpm_version",),
        extra_specs=("hw:tpm_version",),
        unset="the guest has none",
    ),
    DeviceKind(
        name="tpm_secret_security",
        title="security of the TPM's secret",
        why="with host or deployment, others can read the TPM's secret",
        needs="with user, live migration of the guest needs the owner",
        values=("user", "host", "deployment"),
        extra_specs=("hw:tpm_secret_security",),
        unset="the guest has none",
    ),
    DeviceKind(
        name="viommu_model",
        title="guest IOMMU",
        why="an emulated IOMMU is complex code",
        values=("intel", "smmuv3", "virtio", "auto"),
        image_properties=("hw_viommu_model",),
        extra_specs=("hw:viommu_model",),
        unset="the guest has none",
    ),
    DeviceKind(
        name="mem_encryption",
        title="encrypted guest memory",
        why="it changes the machine that the guest gets",
        values=("true", "false"),
        value_type="bool",
        image_properties=("hw_mem_encryption",),
        extra_specs=("hw:mem_encryption",),
        default="false",
    ),
    DeviceKind(
        name="mem_encryption_model",
        title="memory encryption technology",
        why="SEV and SEV-ES lack integrity protection",
        values=("amd-sev", "amd-sev-es", "amd-sev-snp", "intel-tdx"),
        image_properties=("hw_mem_encryption_model",),
        extra_specs=("hw:mem_encryption_model",),
    ),
    # What Nova's and Glance's verification read, all four or none.
    _signature(
        name="image_signature",
        title="signature of the image",
        why="without it, changes to the image are not detected",
        value_type="text",
        image_properties=("img_signature",),
    ),
    _signature(
        name="image_signature_certificate",
        title="certificate of the image's signature",
        why="a signature is worth as much as its key",
        value_type="text",
        image_properties=("img_signature_certificate_uuid",),
    ),
    _signature(
        name="image_signature_hash",
        title="hash of the image's signature",
        why="a short hash can be forged",
        values=words("SHA-224 SHA-256 SHA-384 SHA-512"),
        image_properties=("img_signature_hash_method",),
    ),
    _signature(
        name="image_signature_key_type",
        title="key of the image's signature",
        why="DSA keys are out of date",
        values=words(
            "DSA ECC_SECP384R1 ECC_SECP521R1 ECC_SECT409K1 ECC_SECT409R1 "
            "ECC_SECT571K1 ECC_SECT571R1 RSA-PSS"
        ),
        image_properties=("img_signature_key_type",),
    ),
)

#: Every kind by its name, in the order of the documentation.
KINDS: Mapping[str, DeviceKind] = {kind.name: kind for kind in _KINDS}

#: Names of the kinds that are about the file that is booted.
OF_FILE = tuple(kind.name for kind in KINDS.values() if kind.of_file)
