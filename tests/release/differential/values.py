# SPDX-License-Identifier: Apache-2.0
"""Values of generated images and flavors."""

IMAGE = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
VOLUME = "3f1c6d3a-7a0e-4f0e-9d4e-0b3b0f6f5d11"
BUSES = ("virtio", "scsi", "ide", "sata", "usb", "fdc")
_ARCHITECTURES = (
    "x86_64",
    "AMD64",
    "i386",
    "aarch64",
    "ppc64le",
    "ppc",
    "s390x",
    "mips",
)
_MACHINES = ("pc", "q35", "pc-q35-9.2", "pc-i440fx-9.0", "Q35", "")

#: What an image says, by name: values that are often there.
PROPERTIES: dict[str, tuple[str, ...]] = {
    "hw_disk_bus": BUSES,
    "hw_cdrom_bus": BUSES,
    "hw_floppy_bus": ("fdc", "ide", "virtio"),
    "hw_scsi_model": ("virtio-scsi", "LsiLogic", "paravirtual"),
    "vmware_adaptertype": ("ide", "IDE", "lsiLogic", "virtio-scsi", ""),
    "hw_vif_model": ("virtio", "E1000", "VirtualE1000", "pcnet", "igb"),
    "hw_video_model": ("virtio", "vga", "cirrus", "qxl", "none"),
    "hw_machine_type": _MACHINES,
    "hw_architecture": _ARCHITECTURES,
    "architecture": _ARCHITECTURES,
    "hw_emulation_architecture": _ARCHITECTURES,
    "hw_firmware_type": ("uefi", "bios"),
    "img_config_drive": ("mandatory", "optional"),
    "os_distro": ("fedora19", "fedora22", "nosuch", ""),
    "vmware_ostype": ("fedora19", "fedora22"),
    "hw_pointer_model": ("usbtablet",),
    "hw_input_bus": ("usb", "virtio"),
    "hw_usb_model": ("none", "qemu-xhci"),
    "hw_redirected_usb_ports": ("0", "2", " 3"),
    "hw_sound_model": ("sb16", "virtio"),
    "hw_watchdog_action": ("disabled", "reset", "none"),
    "hw_tpm_model": ("tpm-tis", "tpm-crb"),
    "hw_tpm_version": ("1.2", "2.0"),
    "hw_viommu_model": ("auto", "intel", "virtio"),
    "hw_mem_encryption": ("true", "false"),
    "hw_mem_encryption_model": ("amd-sev", "amd-sev-es"),
    "os_secure_boot": ("required", "optional", "disabled"),
    "hw_boot_menu": ("true", "0"),
    "hw_serial_port_count": ("1", "3"),
}
#: The ones that the others' defaults depend on.
OFTEN = ("hw_machine_type", "img_config_drive", "os_distro", "hw_disk_bus")
SPECS: dict[str, tuple[str, ...]] = {
    "hw:sound_model": ("sb16", "virtio", "SB16"),
    "hw:usb_model": ("none", "qemu-xhci"),
    "hw:redirected_usb_ports": ("0", "2", "x"),
    "hw:watchdog_action": ("disabled", "reset", "Reset"),
    "hw:tpm_model": ("tpm-tis", "tpm-crb"),
    "hw:tpm_version": ("1.2", "2.0"),
    "hw:viommu_model": ("auto", "intel", "virtio"),
    "hw:mem_encryption": ("True", "no"),
    "hw:mem_encryption_model": ("amd-sev", "amd-sev-es"),
    "hw:boot_menu": ("yes", "no"),
    "hw:serial_port_count": ("1", "3"),
    "os:secure_boot": ("required", "disabled"),
    "hw_rng:allowed": ("false", "True"),
}

#: Objects that tell apart which of them is read.
OTHER_IMAGE, RESCUE_IMAGE, SNAPSHOT_IMAGE, ROOT_IMAGE = (
    f"155d900f-4e14-4e4c-a73d-{number:012}" for number in range(1, 5)
)
ROOT_VOLUME, SNAPSHOT_VOLUME, SNAPSHOT = (
    f"3f1c6d3a-7a0e-4f0e-9d4e-{number:012}" for number in range(1, 4)
)
