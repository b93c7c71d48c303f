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
    unset="nobody vouches for the image",
    of_file=True,
)

_KINDS = (
    DeviceKind(
        name="disk_bus",
        title="disk bus",
        why="emulated IDE and floppy controllers are old, complex code with "
        "a history of hypervisor escapes",
        fix="use a guest with virtio drivers (Linux has them; Windows gets "
        "them from virtio-win)",
        values=_DISK_BUSES,
        image_properties=("hw_disk_bus",),
        block_device=True,
    ),
    DeviceKind(
        name="cdrom_bus",
        title="CD-ROM bus",
        why="an IDE CD-ROM brings QEMU's IDE controller and ATAPI code "
        "into the guest's reach",
        fix="sata works on every x86_64 machine type, scsi elsewhere",
        values=_DISK_BUSES,
        image_properties=("hw_cdrom_bus",),
        block_device=True,
    ),
    DeviceKind(
        name="floppy_bus",
        title="floppy bus",
        why="the floppy controller is the device of CVE-2015-3456 (VENOM)",
        fix="give the guest its data on a disk or a config drive",
        values=_DISK_BUSES,
        image_properties=("hw_floppy_bus",),
        block_device=True,
    ),
    DeviceKind(
        name="rescue_bus",
        title="bus of the rescue disk",
        why="a rescue attaches the image's disk on this bus, and no "
        "scheduler ever sees it",
        fix="a disk works on virtio, a CD-ROM on sata, or on scsi where the "
        "machine is not of x86; or leave the property out",
        values=_DISK_BUSES,
        image_properties=("hw_rescue_bus",),
        unset="the guest has none",
    ),
    DeviceKind(
        name="rescue_device",
        title="kind of rescue device",
        why="a floppy or CD-ROM as rescue device brings its controller",
        fix="use disk, or leave the property out",
        values=("cdrom", "disk", "floppy", "fs", "lun"),
        image_properties=("hw_rescue_device",),
        unset="the guest has none",
    ),
    DeviceKind(
        name="device_type",
        title="kind of block device",
        why="a lun hands the guest's SCSI commands to the host's device; a "
        "floppy brings the floppy controller",
        fix="use disk or cdrom",
        values=("cdrom", "disk", "floppy", "fs", "lun"),
        block_device=True,
        unset="the guest has none",
    ),
    DeviceKind(
        name="file_system",
        title="shared file system",
        why="a guest's requests for a share's files are handled by virtiofsd, "
        "a program on the host that can reach the whole share",
        fix="mount the share in the guest, over the network",
        values=("virtiofs",),
        unset="the guest has none",
    ),
    DeviceKind(
        name="scsi_model",
        title="SCSI controller",
        why="QEMU's LSI, MegaRAID and pvscsi controllers emulate hardware "
        "in full; virtio-scsi does not",
        fix="set hw_scsi_model to virtio-scsi, or use disk bus virtio",
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
        why="a config drive is a CD-ROM (or a disk) that every boot attaches",
        fix="let the guest read the metadata service instead",
        values=("mandatory", "optional"),
        image_properties=("img_config_drive",),
    ),
    DeviceKind(
        name="pmem",
        title="virtual persistent memory",
        why="it maps a namespace of the host's NVDIMM into the guest",
        fix="use a flavor without hw:pmem",
        value_type="text",
        extra_specs=("hw:pmem",),
        unset="the guest has none",
    ),
    DeviceKind(
        name="vif_model",
        title="network card",
        why="e1000, rtl8139, ne2k and pcnet emulate network hardware in "
        "full, code in which guests have escaped before",
        fix="use virtio; the guest needs the virtio network driver",
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
        why="cirrus, vmvga and qxl are large device models that a server "
        "does not need",
        fix="use virtio, or vga where the guest has no driver",
        values=words("cirrus qxl vga vmvga xen virtio gop none bochs"),
        image_properties=("hw_video_model",),
    ),
    DeviceKind(
        name="input_bus",
        title="bus of keyboard and tablet",
        why="usb brings a USB controller into the guest",
        fix="use virtio, or leave the property out",
        values=("usb", "virtio"),
        image_properties=("hw_input_bus",),
    ),
    DeviceKind(
        name="pointer_model",
        title="pointer",
        why="a USB tablet brings a USB controller into the guest",
        fix="leave the property out; without it the hosts' [DEFAULT] "
        "pointer_model decides",
        values=(USB_TABLET,),
        image_properties=("hw_pointer_model",),
    ),
    DeviceKind(
        name="usb_model",
        title="USB controller",
        why="a USB controller is a large device model that few servers need",
        fix="use none, or leave the setting out",
        values=("none", "nec-xhci", "qemu-xhci"),
        image_properties=("hw_usb_model",),
        extra_specs=("hw:usb_model",),
        default="none",
    ),
    DeviceKind(
        name="redirected_usb_ports",
        title="number of redirected USB ports",
        why="each port lets a console client put a USB device of its own "
        "into the guest",
        fix="use 0, or leave the setting out",
        value_type="int",
        image_properties=("hw_redirected_usb_ports",),
        extra_specs=("hw:redirected_usb_ports",),
        default="0",
    ),
    DeviceKind(
        name="sound_model",
        title="sound card",
        why="sound cards emulate hardware in full and have had escapes",
        fix="leave the setting out",
        values=words("sb16 es1370 pcspk ac97 ich6 ich9 usb virtio"),
        image_properties=("hw_sound_model",),
        extra_specs=("hw:sound_model",),
        unset="the guest has none",
    ),
    DeviceKind(
        name="serial_port_count",
        title="number of serial ports",
        why="each port is an emulated UART with a host socket behind it",
        fix="use 1, or leave the setting out",
        value_type="int",
        image_properties=("hw_serial_port_count",),
        extra_specs=("hw:serial_port_count",),
        default="1",
    ),
    DeviceKind(
        name="guest_agent",
        title="QEMU guest agent channel",
        why="the host parses what the agent in the guest answers",
        fix="leave the property out",
        values=("true", "false"),
        value_type="bool",
        image_properties=("hw_qemu_guest_agent",),
        default="false",
    ),
    DeviceKind(
        name="machine_type",
        title="machine type",
        why="the pc machine always has an IDE controller, a floppy "
        "controller and an ISA bridge; q35 has none of the first two",
        fix="use q35; the guest must boot from PCI Express",
        value_type="text",
        image_properties=("hw_machine_type",),
    ),
    DeviceKind(
        name="architecture",
        title="guest architecture",
        why="it decides the machine and with it the devices",
        fix="use the architecture of the cloud's hosts",
        values=_ARCHITECTURES,
        image_properties=("hw_architecture",),
        aliases=_ARCHITECTURE_ALIASES,
        fold_case=True,
    ),
    DeviceKind(
        name="emulation_architecture",
        title="emulated architecture",
        why="a guest of another architecture runs on TCG, which is no "
        "security boundary to QEMU's developers",
        fix="leave the property out",
        values=_ARCHITECTURES,
        image_properties=("hw_emulation_architecture",),
        aliases=_ARCHITECTURE_ALIASES,
        fold_case=True,
        unset="the guest has none",
    ),
    DeviceKind(
        name="vm_mode",
        title="guest mode",
        why="a mode other than hvm is another interface to the host",
        fix="use hvm, or leave the property out",
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
        fix="use uefi with an image that boots from it",
        values=("uefi", "bios"),
        image_properties=("hw_firmware_type",),
    ),
    DeviceKind(
        name="firmware_stateless",
        title="stateless firmware",
        why="a guest can hide in variables that the firmware keeps",
        fix="set it to true where the guest keeps no boot entries",
        values=("true", "false"),
        value_type="bool",
        image_properties=("hw_firmware_stateless",),
        default="false",
    ),
    DeviceKind(
        name="secure_boot",
        title="secure boot",
        why="without it the firmware runs any boot loader",
        fix="use required, with hw_firmware_type=uefi",
        values=("required", "disabled", "optional"),
        image_properties=("os_secure_boot",),
        extra_specs=("os:secure_boot",),
        default="disabled",
    ),
    DeviceKind(
        name="boot_menu",
        title="boot menu",
        why="anybody with access to the console can choose what boots",
        fix="leave the setting out",
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
        fix="leave the property out",
        values=("true", "false"),
        value_type="bool",
        image_properties=("hw_ipxe_boot",),
        default="false",
    ),
    DeviceKind(
        name="hpet",
        title="HPET timer",
        why="an emulated timer that current guests do not need",
        fix="leave the property out",
        values=("true", "false"),
        value_type="bool",
        image_properties=("hw_time_hpet",),
        default="false",
    ),
    DeviceKind(
        name="pmu",
        title="performance monitoring unit",
        why="performance counters help in side-channel attacks",
        fix="use false",
        values=("true", "false"),
        value_type="bool",
        image_properties=("hw_pmu",),
        extra_specs=("hw:pmu",),
    ),
    DeviceKind(
        name="rng_model",
        title="random number generator",
        why="it is a device, though a small one",
        fix="use virtio, or leave the property out",
        values=("virtio",),
        image_properties=("hw_rng_model",),
    ),
    DeviceKind(
        name="rng",
        title="random number generator allowed by the flavor",
        why="it is a device, though a small one",
        fix="leave the extra spec out",
        values=("true", "false"),
        value_type="bool",
        extra_specs=("hw_rng:allowed",),
    ),
    DeviceKind(
        name="watchdog_action",
        title="watchdog",
        why="any action but disabled adds an emulated i6300esb card",
        fix="use disabled, or leave the setting out",
        values=("none", "pause", "poweroff", "reset", "disabled"),
        image_properties=("hw_watchdog_action",),
        extra_specs=("hw:watchdog_action",),
        default="disabled",
    ),
    DeviceKind(
        name="tpm_model",
        title="TPM interface",
        why="an emulated TPM is a device with a host process behind it",
        fix="use tpm-crb with TPM 2.0",
        values=("tpm-tis", "tpm-crb"),
        image_properties=("hw_tpm_model",),
        extra_specs=("hw:tpm_model",),
    ),
    DeviceKind(
        name="tpm_version",
        title="TPM version",
        why="TPM 1.2 relies on SHA-1",
        fix="use 2.0",
        values=("1.2", "2.0"),
        image_properties=("hw_tpm_version",),
        extra_specs=("hw:tpm_version",),
        unset="the guest has none",
    ),
    DeviceKind(
        name="tpm_secret_security",
        title="security of the TPM's secret",
        why="with host or deployment the hosts, or everybody who is Nova, "
        "may read the secret that the guest's TPM is encrypted by",
        fix="use user: the owner's own key manager has it, and live "
        "migration of the guest needs the owner",
        values=("user", "host", "deployment"),
        extra_specs=("hw:tpm_secret_security",),
        unset="the guest has none",
    ),
    DeviceKind(
        name="viommu_model",
        title="guest IOMMU",
        why="an emulated IOMMU is complex code; Nova's image metadata "
        "prefilter also stops at this property (upstream bug)",
        fix="leave the setting out unless the guest does passthrough",
        values=("intel", "smmuv3", "virtio", "auto"),
        image_properties=("hw_viommu_model",),
        extra_specs=("hw:viommu_model",),
        unset="the guest has none",
    ),
    DeviceKind(
        name="mem_encryption",
        title="encrypted guest memory",
        why="it changes the machine that the guest gets",
        fix="leave the setting out",
        values=("true", "false"),
        value_type="bool",
        image_properties=("hw_mem_encryption",),
        extra_specs=("hw:mem_encryption",),
        default="false",
    ),
    DeviceKind(
        name="mem_encryption_model",
        title="memory encryption technology",
        why="SEV and SEV-ES lack the integrity protection of SEV-SNP",
        fix="use a model that the policy allows",
        values=("amd-sev", "amd-sev-es", "amd-sev-snp", "intel-tdx"),
        image_properties=("hw_mem_encryption_model",),
        extra_specs=("hw:mem_encryption_model",),
    ),
    # What Nova's and Glance's verification read, all four or none.
    _signature(
        name="image_signature",
        title="signature of the image",
        why="without it nobody can tell whether the image is as its maker "
        "left it",
        value_type="text",
        image_properties=("img_signature",),
    ),
    _signature(
        name="image_signature_certificate",
        title="certificate of the image's signature",
        why="a signature is only worth as much as the key's owner",
        value_type="text",
        image_properties=("img_signature_certificate_uuid",),
    ),
    _signature(
        name="image_signature_hash",
        title="hash of the image's signature",
        why="the verification needs it, and a short hash can be forged first",
        values=words("SHA-224 SHA-256 SHA-384 SHA-512"),
        image_properties=("img_signature_hash_method",),
    ),
    _signature(
        name="image_signature_key_type",
        title="key of the image's signature",
        why="the verification needs it, and DSA is out of date",
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
