# SPDX-License-Identifier: Apache-2.0
"""The device that Nova picks when nobody asked for one."""

import json

import pytest

from nova_vhard.policy.defaults import cdrom_bus, implied
from nova_vhard.policy.hardware import (
    CDROM,
    FLOPPY,
    NIC,
    SERVER,
    DeviceChoice,
    HardwareRequest,
)
from nova_vhard.policy.model import Assume
from nova_vhard.request import flavor, image

MANDATORY = {"img_config_drive": "mandatory"}


def picked(properties, disk_format=None, **assume):
    """Return kind to value of what is picked for an image."""
    request = image.read(properties, disk_format)
    choices = implied(request, Assume(**assume))
    return {wish.kind: wish.value for wish in choices}


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
    given = {**MANDATORY, "hw_cdrom_bus": "sata"}
    assert "cdrom_bus" not in picked(given)


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
    result = picked({name: "windows"})
    assert result["disk_bus"] is None
    assert result["vif_model"] is None
    text = picked(
        {name: "windows", "hw_disk_bus": "virtio", "hw_vif_model": "virtio"}
    )
    assert "disk_bus" not in text
    assert "vif_model" not in text


@pytest.mark.parametrize(
    ("properties", "model"),
    [
        ({"hw_disk_bus": "scsi"}, "lsilogic"),
        ({**MANDATORY, "hw_cdrom_bus": "scsi"}, "lsilogic"),
        # of CD-ROMs that this guest does not have
        ({"hw_cdrom_bus": "scsi"}, None),
        ({"hw_rescue_bus": "scsi"}, "lsilogic"),
        ({"hw_rescue_bus": "virtio"}, None),
        ({**MANDATORY, "hw_architecture": "aarch64"}, "lsilogic"),
        ({"hw_disk_bus": "scsi", "hw_architecture": "ppc64le"}, "ibmvscsi"),
        ({"hw_disk_bus": "scsi", "hw_architecture": "s390x"}, "virtio-scsi"),
        ({"hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"}, None),
        ({"hw_disk_bus": "virtio"}, None),
    ],
)
def test_controller_of_a_scsi_bus(properties, model):
    assert picked(properties).get("scsi_model") == model


@pytest.mark.parametrize(
    ("arch", "model"),
    [
        ("ppc64", "ibmvscsi"),
        ("ppc64le", "ibmvscsi"),
        ("ppc", "lsilogic"),
        ("s390", "virtio-scsi"),
        ("s390x", "virtio-scsi"),
        ("x86_64", "lsilogic"),
        ("aarch64", "lsilogic"),
    ],
)
def test_the_controller_is_by_the_architecture(arch, model):
    properties = {"hw_disk_bus": "scsi", "hw_architecture": arch}
    assert picked(properties)["scsi_model"] == model


def test_machine_video_and_firmware():
    result = picked({})
    assert result["machine_type"] == "pc"
    assert result["video_model"] == "virtio"
    assert result["firmware_type"] == "bios"
    result = picked({"hw_architecture": "aarch64"})
    assert result["machine_type"] == "virt"
    assert result["firmware_type"] == "uefi"
    assert picked({"hw_architecture": "ppc64"})["video_model"] == "vga"
    assert picked({"hw_architecture": "ppc64"})["machine_type"] is None


def test_the_keyboard_of_a_machine_that_has_none():
    assert "input_bus" not in picked({})
    assert picked({"hw_architecture": "aarch64"})["input_bus"] == "usb"
    emulated = {"hw_emulation_architecture": "aarch64"}
    assert picked(emulated)["input_bus"] == "usb"
    assert picked({}, architecture="aarch64")["input_bus"] == "usb"
    given = {"hw_architecture": "aarch64", "hw_input_bus": "virtio"}
    assert "input_bus" not in picked(given)
    # Without a console Nova adds none.
    request = HardwareRequest(devices=frozenset())
    kinds = {
        choice.kind
        for choice in implied(request, Assume(architecture="aarch64"))
    }
    assert "input_bus" not in kinds


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


def mapping(**device):
    """Return an image's own block device mapping with one device."""
    entry = {"source_type": "blank", "boot_index": -1, **device}
    return {"block_device_mapping": json.dumps([entry]), "bdm_v2": "true"}


@pytest.mark.parametrize(
    ("kind", "device_type", "bus", "more", "value"),
    [
        # the config drive beside a CD-ROM that has a bus of its own
        ("cdrom_bus", "cdrom", "sata", MANDATORY, "ide"),
        # every disk but the one, whose bus libosinfo picks
        ("disk_bus", "disk", "virtio", {"os_distro": "win2k"}, None),
        ("disk_bus", "disk", "scsi", {}, "virtio"),
    ],
)
def test_the_bus_of_one_device_is_no_default(
    kind, device_type, bus, more, value
):
    properties = mapping(device_type=device_type, disk_bus=bus) | more
    assert picked(properties)[kind] == value


def test_two_floppies_of_which_one_has_a_bus():
    devices = [
        {"device_type": "floppy", "disk_bus": "usb"},
        {"device_type": "floppy"},
    ]
    properties = {"block_device_mapping": json.dumps(devices)}
    assert picked(properties)["floppy_bus"] == "fdc"


@pytest.mark.parametrize("bus", ["xen", "lxc", "uml", "", None])
def test_a_bus_that_the_hypervisor_lacks_is_none(bus):
    assert picked(mapping(device_type="cdrom", disk_bus=bus))["cdrom_bus"]
    assert picked(mapping(device_type="floppy", disk_bus=bus))["floppy_bus"]


def test_an_emulated_architecture_chooses_all_but_machine_and_buses():
    properties = {**MANDATORY, "hw_emulation_architecture": "ppc64le"}
    result = picked({**properties, "hw_disk_bus": "scsi"})
    assert result["video_model"] == "vga"
    assert result["scsi_model"] == "ibmvscsi"
    assert result["machine_type"] == "pc"
    assert result["cdrom_bus"] == "ide"
    result = picked({"hw_emulation_architecture": "aarch64"})
    assert result["firmware_type"] == "uefi"


def test_an_empty_machine_type_is_no_q35():
    assume = {"machine_type": {"x86_64": "q35"}}
    result = picked({**MANDATORY, "hw_machine_type": ""}, **assume)
    assert result["cdrom_bus"] == "ide"


@pytest.mark.parametrize("arch", ["ppcle", "ppcemb"])
def test_no_vga_beyond_the_architectures_that_nova_names(arch):
    assert picked({"hw_architecture": arch})["video_model"] == "virtio"


def test_model_of_a_tpm_and_of_encrypted_memory():
    assert not picked({}).keys() & {"tpm_model", "mem_encryption_model"}
    assert picked({"hw_tpm_version": "2.0"})["tpm_model"] == "tpm-tis"
    given = {"hw_tpm_version": "2.0", "hw_tpm_model": "tpm-crb"}
    assert "tpm_model" not in picked(given)
    wanted = {"hw_mem_encryption": "yes"}
    assert picked(wanted)["mem_encryption_model"] == "amd-sev"
    given = {**wanted, "hw_mem_encryption_model": "amd-sev-snp"}
    assert "mem_encryption_model" not in picked(given)
    given = {"hw_mem_encryption": "no"}
    assert "mem_encryption_model" not in picked(given)


def test_the_flavor_may_say_the_model_of_a_tpm():
    specs = {"hw:tpm_version": "2.0"}
    request = HardwareRequest(choices=tuple(flavor.read(specs)))
    result = {wish.kind: wish.value for wish in implied(request, Assume())}
    assert result["tpm_model"] == "tpm-tis"
    specs["hw:tpm_model"] = "tpm-crb"
    request = HardwareRequest(choices=tuple(flavor.read(specs)))
    kinds = {wish.kind for wish in implied(request, Assume())}
    assert "tpm_model" not in kinds


def test_a_cdrom_of_a_machine_that_nobody_says():
    request = HardwareRequest(architecture="riscv64")
    assert cdrom_bus(request, Assume()) == ("ide", "on machine type pc")


@pytest.mark.parametrize(
    ("only", "controllers"),
    [
        (None, ["lsilogic"]),
        (frozenset(("disk_bus",)), ["lsilogic"]),
        (frozenset(("cdrom_bus",)), []),
    ],
)
def test_what_a_rescue_disk_is_about_needs_a_controller(only, controllers):
    disk = DeviceChoice("disk_bus", "scsi", "a rescue image")
    plugged = HardwareRequest(choices=(disk,), devices=frozenset(), only=only)
    request = HardwareRequest(rescue_disk=plugged)
    result = [
        choice
        for choice in implied(request, Assume())
        if choice.kind == "scsi_model"
    ]
    assert [choice.value for choice in result] == controllers
    for choice in result:
        assert choice.implied.endswith(
            "x86_64, on which the rescue disk is plugged in"
        )


BUS = DeviceChoice("disk_bus", "scsi", "an image")
NO_CDROM = DeviceChoice(
    "cdrom_bus", "scsi", "an image", names=frozenset(("hw_cdrom_bus",))
)


@pytest.mark.parametrize(
    ("choices", "where"),
    [
        ((NO_CDROM,), None),
        ((NO_CDROM, BUS), ""),
        (
            (DeviceChoice("disk_bus", "scsi", "x", "sda", SERVER),),
            ", on which sda is",
        ),
    ],
)
def test_a_controller_is_for_a_device_that_is_there(choices, where):
    request = HardwareRequest(choices=choices)
    result = [
        choice.implied
        for choice in implied(request, Assume())
        if choice.kind == "scsi_model"
    ]
    text = "libvirt picks lsilogic as the controller of a scsi bus on x86_64"
    assert result == ([] if where is None else [f"{text}{where}"])
