# SPDX-License-Identifier: Apache-2.0
"""What is said of a device that Nova picks, and which properties it is of.

A change of one of these properties is charged with the default.
"""

import pytest

from nova_vhard.policy.defaults import implied
from nova_vhard.policy.hardware import Holder
from nova_vhard.policy.model import Assume
from nova_vhard.request import image

HOLDER = Holder("5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9", "p1")
ARCHITECTURES = {"hw_architecture", "hw_emulation_architecture"}
DISTRO = {"os_distro", "vmware_ostype"}
MAPPINGS = {"img_block_device_mapping", "block_device_mapping"}
MACHINE = {"hw_machine_type", "hw_architecture"}
CDROM = {"hw_cdrom_bus", "img_config_drive", "disk_format"}
BUSES = {"hw_disk_bus", "hw_cdrom_bus", "hw_rescue_bus"}


def picked(kind, properties, **assume):
    """Return the choice of one kind that Nova makes for an image."""
    request = image.read(properties, holder=HOLDER)
    (choice,) = (
        choice
        for choice in implied(request, Assume(**assume))
        if choice.kind == kind
    )
    return choice


@pytest.mark.parametrize(
    ("kind", "properties", "assume", "names", "why"),
    [
        (
            "machine_type",
            {},
            {},
            MACHINE,
            "this cloud's hosts pick pc on x86_64",
        ),
        (
            "disk_bus",
            {},
            {},
            {"hw_disk_bus", "vmware_adaptertype"},
            "nova picks virtio for a disk",
        ),
        (
            "disk_bus",
            {"os_distro": "plan9"},
            {},
            {"hw_disk_bus", *DISTRO},
            "libosinfo may pick any kind for a disk, by os_distro 'plan9'",
        ),
        (
            "disk_bus",
            {},
            {"virt_type": "lxc"},
            {"hw_disk_bus", "vmware_adaptertype"},
            "nova picks lxc for a disk",
        ),
        (
            "cdrom_bus",
            {"img_config_drive": "mandatory"},
            {},
            CDROM | MACHINE | MAPPINGS,
            "nova picks ide for a CD-ROM (a config drive, by "
            "img_config_drive) on machine type pc",
        ),
        (
            "cdrom_bus",
            {},
            {"force_config_drive": True, "virt_type": "parallels"},
            CDROM | MACHINE | MAPPINGS,
            "nova picks ide for a CD-ROM (a config drive, which this cloud "
            "always adds) with virt_type parallels",
        ),
        (
            "cdrom_bus",
            {"hw_architecture": "s390x"},
            {"force_config_drive": True},
            CDROM | MACHINE | MAPPINGS,
            "nova picks scsi for a CD-ROM (a config drive, which this cloud "
            "always adds) on s390x",
        ),
        (
            "floppy_bus",
            {"block_device_mapping": [{"device_type": "floppy"}]},
            {},
            {"hw_floppy_bus", *MAPPINGS},
            "nova picks fdc for a floppy (block_device_mapping[0])",
        ),
        (
            "vif_model",
            {"os_distro": "plan9"},
            {},
            {"hw_vif_model", *DISTRO},
            "libosinfo may pick any kind for a network card, by os_distro "
            "'plan9'",
        ),
        (
            "vif_model",
            {},
            {},
            {"hw_vif_model"},
            "nova picks virtio for a network card",
        ),
        (
            "vif_model",
            {},
            {"use_virtio_for_bridges": False},
            {"hw_vif_model"},
            "libvirt picks rtl8139 for a network card",
        ),
        (
            "video_model",
            {},
            {"virt_type": "parallels"},
            {"hw_video_model", *ARCHITECTURES},
            "nova picks vga for a graphics card on x86_64",
        ),
        (
            "video_model",
            {},
            {},
            {"hw_video_model", *ARCHITECTURES},
            "nova picks virtio for a graphics card on x86_64",
        ),
        (
            "firmware_type",
            {"hw_architecture": "aarch64"},
            {},
            {"hw_firmware_type", *ARCHITECTURES},
            "nova picks uefi on aarch64",
        ),
        (
            "input_bus",
            {"hw_architecture": "aarch64"},
            {},
            {"hw_input_bus", *ARCHITECTURES},
            "nova picks usb for a keyboard on aarch64",
        ),
        (
            "tpm_model",
            {"hw_tpm_version": "2.0"},
            {},
            {"hw_tpm_model", "hw_tpm_version"},
            "nova picks tpm-tis for a TPM",
        ),
        (
            "mem_encryption_model",
            {"hw_mem_encryption": "true"},
            {},
            {"hw_mem_encryption_model", "hw_mem_encryption"},
            "nova picks amd-sev for encrypted memory",
        ),
        (
            "scsi_model",
            {"hw_disk_bus": "scsi"},
            {},
            {"hw_scsi_model", *BUSES, *ARCHITECTURES},
            "libvirt picks lsilogic as the controller of a scsi bus on x86_64",
        ),
    ],
)
def test_why_and_by_which_properties(kind, properties, assume, names, why):
    choice = picked(kind, properties, **assume)
    assert choice.implied == why
    assert choice.names == names
    assert choice.setting == f"hw_{kind}"
    assert choice.source == f"image property hw_{kind} (not set)"
    assert (choice.origin, choice.holder) == ("image", HOLDER)
