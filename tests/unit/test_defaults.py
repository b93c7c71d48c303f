# SPDX-License-Identifier: Apache-2.0
"""The device that Nova picks when nobody asked for one."""

import pytest

from nova_vhard.policy.defaults import implied
from nova_vhard.policy.hardware import CDROM, FLOPPY, NIC, HardwareRequest
from nova_vhard.policy.model import Assume
from nova_vhard.request import image

MANDATORY = {"img_config_drive": "mandatory"}


def picked(properties, disk_format=None, **assume):
    """Return kind to value of what is picked for an image."""
    request = image.read(properties, disk_format)
    wishes = implied(request, Assume(**assume))
    return {wish.kind: wish.value for wish in wishes}


@pytest.mark.parametrize(
    ("properties", "assume", "bus"),
    [
        ({}, {}, "ide"),
        ({}, {"machine_type": {"x86_64": "q35"}}, "sata"),
        ({"hw_machine_type": "pc-q35-9.2"}, {}, "sata"),
        (
            {"hw_machine_type": "pc"},
            {"machine_type": {"x86_64": "q35"}},
            "ide",
        ),
        ({"hw_architecture": "aarch64"}, {}, "scsi"),
        ({"architecture": "ppc64le"}, {}, "scsi"),
        ({}, {"architecture": "s390x"}, "scsi"),
        ({"hw_architecture": "amd64"}, {}, "ide"),
        ({}, {"virt_type": "parallels"}, "ide"),
        ({}, {"virt_type": "lxc"}, "lxc"),
    ],
)
def test_bus_of_a_cdrom(properties, assume, bus):
    assert picked({**MANDATORY, **properties}, **assume)["cdrom_bus"] == bus


def test_a_cdrom_counts_only_for_a_guest_that_gets_one():
    assert "cdrom_bus" not in picked({})
    assert "cdrom_bus" not in picked({"img_config_drive": "optional"})
    assert picked({}, "iso")["cdrom_bus"] == "ide"
    assert picked({}, force_config_drive=True)["cdrom_bus"] == "ide"
    mapping = '[{"device_type": "cdrom", "source_type": "image"}]'
    properties = {"block_device_mapping": mapping}
    assert picked(properties)["cdrom_bus"] == "ide"
    said = {**MANDATORY, "hw_cdrom_bus": "sata"}
    assert "cdrom_bus" not in picked(said)


def test_a_floppy_counts_only_for_a_guest_that_gets_one():
    assert "floppy_bus" not in picked({})
    properties = {"block_device_mapping": '[{"device_type": "floppy"}]'}
    assert picked(properties)["floppy_bus"] == "fdc"


def test_disk_and_card():
    assert picked({})["disk_bus"] == "virtio"
    assert picked({})["vif_model"] == "virtio"
    assert picked({}, use_virtio_for_bridges=False)["vif_model"] == "rtl8139"
    assert picked({}, virt_type="parallels")["disk_bus"] == "scsi"


@pytest.mark.parametrize("name", ["os_distro", "vmware_ostype"])
def test_what_libosinfo_would_pick_is_unknown(name):
    found = picked({name: "windows"})
    assert found["disk_bus"] is None
    assert found["vif_model"] is None
    said = picked(
        {name: "windows", "hw_disk_bus": "virtio", "hw_vif_model": "virtio"}
    )
    assert "disk_bus" not in said
    assert "vif_model" not in said


@pytest.mark.parametrize(
    ("properties", "model"),
    [
        ({"hw_disk_bus": "scsi"}, "lsilogic"),
        ({**MANDATORY, "hw_architecture": "aarch64"}, "lsilogic"),
        ({"hw_disk_bus": "scsi", "hw_architecture": "ppc64le"}, "ibmvscsi"),
        ({"hw_disk_bus": "scsi", "hw_architecture": "s390x"}, "virtio-scsi"),
        ({"hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"}, None),
        ({"hw_disk_bus": "virtio"}, None),
    ],
)
def test_controller_of_a_scsi_bus(properties, model):
    assert picked(properties).get("scsi_model") == model


def test_machine_video_and_firmware():
    found = picked({})
    assert found["machine_type"] == "pc"
    assert found["video_model"] == "virtio"
    assert found["firmware_type"] == "bios"
    found = picked({"hw_architecture": "aarch64"})
    assert found["machine_type"] == "virt"
    assert found["firmware_type"] == "uefi"
    assert picked({"hw_architecture": "ppc64"})["video_model"] == "vga"
    assert picked({"hw_architecture": "ppc64"})["machine_type"] is None


def test_a_guest_without_a_card_needs_no_model():
    request = HardwareRequest(devices=frozenset())
    kinds = {wish.kind for wish in implied(request, Assume())}
    assert not kinds & {"disk_bus", "vif_model", "video_model", "cdrom_bus"}
    assert NIC not in request.devices


def test_every_pick_says_why():
    request = HardwareRequest().plus(
        reasons=[(CDROM, "an ISO image"), (FLOPPY, "bdm[0]")]
    )
    for wish in implied(request, Assume()):
        assert wish.implied
        assert wish.setting in wish.source
