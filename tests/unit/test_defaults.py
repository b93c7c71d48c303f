# SPDX-License-Identifier: Apache-2.0
"""Devices that Nova chooses when no property is set."""

import json

import pytest

from nova_vhard.policy import defaults, hardware
from nova_vhard.policy.hardware import (
    FLAVOR,
    IMAGE,
    SERVER,
    DeviceChoice,
    HardwareRequest,
    Holder,
)
from nova_vhard.policy.model import Assume
from nova_vhard.request import compose, image

HOLDER = Holder("5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9", "p1")
NONE, UNKNOWN = "(nothing is picked)", None

DRIVE, ARM = {"img_config_drive": "mandatory"}, {"hw_architecture": "aarch64"}
Q35 = {"machine_type": {"x86_64": "q35"}}
NO_TABLET = {"pointer_model": "ps2mouse"}
ENCRYPTED, DISTRO = {"hw_mem_encryption": "yes"}, {"os_distro": "windows"}
TPM, USB = {"hw_tpm_version": "2.0"}, {"usb_model": "piix3-uhci"}
NO_USB = {"input_bus": NONE, "pointer_model": NONE, "usb_model": NONE}


def mapping(*devices):
    """Return the block device mapping of an image."""
    return {"block_device_mapping": json.dumps(devices), "bdm_v2": "true"}


# Properties; disk format, extra specs and what the policy assumes; what is
# picked, kind by kind.
ROWS = [
    # the bus of a CD-ROM
    (DRIVE, {}, {"cdrom_bus": "ide"}),
    (DRIVE, Q35, {"cdrom_bus": "sata"}),
    (DRIVE | {"hw_machine_type": "pc-q35-9.2"}, {}, {"cdrom_bus": "sata"}),
    (DRIVE | {"hw_machine_type": "pc"}, Q35, {"cdrom_bus": "ide"}),
    # an empty machine type is not a q35
    (DRIVE | {"hw_machine_type": ""}, Q35, {"cdrom_bus": "ide"}),
    (DRIVE | ARM, {}, {"cdrom_bus": "scsi", "scsi_model": "lsilogic"}),
    (DRIVE | {"architecture": "ppc64le"}, {}, {"cdrom_bus": "scsi"}),
    (DRIVE, {"architecture": "s390x"}, {"cdrom_bus": "scsi"}),
    (DRIVE | {"hw_architecture": "amd64"}, {}, {"cdrom_bus": "ide"}),
    (DRIVE | {"hw_cdrom_bus": "sata"}, {}, {"cdrom_bus": NONE}),
    # only for a guest that gets one
    ({}, {}, {"cdrom_bus": NONE, "floppy_bus": NONE}),
    ({"img_config_drive": "optional"}, {}, {"cdrom_bus": NONE}),
    ({}, {"disk_format": "iso"}, {"cdrom_bus": "ide"}),
    ({}, {"force_config_drive": True}, {"cdrom_bus": "ide"}),
    (mapping({"device_type": "cdrom"}), {}, {"cdrom_bus": "ide"}),
    (mapping({"device_type": "floppy"}), {}, {"floppy_bus": "fdc"}),
    # one choice for two of them
    (DRIVE | mapping({"device_type": "cdrom"}), {}, {"cdrom_bus": "ide"}),
    (mapping(*[{"device_type": "floppy"}] * 2), {}, {"floppy_bus": "fdc"}),
    # next to a CD-ROM or floppy with a bus of its own
    (
        DRIVE | mapping({"device_type": "cdrom", "disk_bus": "sata"}),
        {},
        {"cdrom_bus": "ide"},
    ),
    (
        mapping(
            {"device_type": "floppy", "disk_bus": "usb"},
            {"device_type": "floppy"},
        ),
        {},
        {"floppy_bus": "fdc"},
    ),
    # a bus that the hypervisor lacks counts as none
    *(
        (
            mapping({"device_type": device, "disk_bus": bus}),
            {},
            {f"{device}_bus": picked},
        )
        for device, picked in (("cdrom", "ide"), ("floppy", "fdc"))
        for bus in ("xen", "lxc", "uml", "", None)
    ),
    # disks and network cards
    ({}, {}, {"disk_bus": "virtio", "vif_model": "virtio"}),
    ({}, {"use_virtio_for_bridges": False}, {"vif_model": "rtl8139"}),
    (mapping({"disk_bus": "scsi"}), {}, {"disk_bus": "virtio"}),
    # libosinfo picks by the distribution
    (DISTRO, {}, {"disk_bus": UNKNOWN, "vif_model": UNKNOWN}),
    (
        {"vmware_ostype": "windows"},
        {},
        {"disk_bus": UNKNOWN, "vif_model": UNKNOWN},
    ),
    (
        DISTRO,
        {"libosinfo": False},
        {"disk_bus": "virtio", "vif_model": "virtio"},
    ),
    (DISTRO | mapping({"disk_bus": "virtio"}), {}, {"disk_bus": UNKNOWN}),
    (
        DISTRO | {"hw_disk_bus": "virtio", "hw_vif_model": "virtio"},
        {},
        {"disk_bus": NONE, "vif_model": NONE},
    ),
    # the controller of a scsi bus, for a device that is there
    ({"hw_disk_bus": "virtio"}, {}, {"scsi_model": NONE}),
    ({"hw_cdrom_bus": "scsi"}, {}, {"scsi_model": NONE}),
    ({"hw_rescue_bus": "virtio"}, {}, {"scsi_model": NONE}),
    (DRIVE | {"hw_cdrom_bus": "scsi"}, {}, {"scsi_model": "lsilogic"}),
    ({"hw_rescue_bus": "scsi"}, {}, {"scsi_model": "lsilogic"}),
    (
        {"hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"},
        {},
        {"scsi_model": NONE},
    ),
    *(
        (
            {"hw_disk_bus": "scsi", "hw_architecture": arch},
            {},
            {"scsi_model": model},
        )
        for arch, model in (
            ("x86_64", "lsilogic"),
            ("aarch64", "lsilogic"),
            ("ppc", "lsilogic"),
            ("ppc64", "ibmvscsi"),
            ("ppc64le", "ibmvscsi"),
            ("s390", "virtio-scsi"),
            ("s390x", "virtio-scsi"),
        )
    ),
    # machine, graphics card and firmware
    (
        {},
        {},
        {
            "machine_type": "pc",
            "video_model": "virtio",
            "firmware_type": "bios",
        },
    ),
    (ARM, {}, {"machine_type": "virt", "firmware_type": "uefi"}),
    (
        {"hw_architecture": "ppc64"},
        {},
        {"machine_type": UNKNOWN, "video_model": "vga"},
    ),
    # no vga beyond the architectures that Nova names
    ({"hw_architecture": "ppcle"}, {}, {"video_model": "virtio"}),
    ({"hw_architecture": "ppcemb"}, {}, {"video_model": "virtio"}),
    # what QEMU emulates decides about all but machine and buses
    (
        DRIVE | {"hw_disk_bus": "scsi", "hw_emulation_architecture": "ppc64"},
        NO_TABLET,
        {
            "cdrom_bus": "ide",
            "machine_type": "pc",
            "scsi_model": "ibmvscsi",
            "usb_model": "qemu-xhci",
            "video_model": "vga",
        },
    ),
    (
        {"hw_emulation_architecture": "aarch64"},
        NO_TABLET,
        {"firmware_type": "uefi", "input_bus": "usb"},
    ),
    # pointer, keyboard, and the USB controller that they need
    ({}, {}, USB | {"input_bus": "usb", "pointer_model": "usbtablet"}),
    ({}, NO_TABLET, NO_USB),
    ({}, {"pointer_model": "none"}, NO_USB),
    # libvirt does not ask hw_usb_model where a device needs usb
    ({"hw_usb_model": "none"}, {}, USB),
    ({"hw_usb_model": "qemu-xhci"}, NO_TABLET, NO_USB),
    # the image's tablet
    (
        {"hw_pointer_model": "usbtablet"},
        NO_TABLET,
        USB | {"input_bus": "usb", "pointer_model": NONE},
    ),
    ({"hw_input_bus": "virtio"}, {}, NO_USB),
    (
        {"hw_input_bus": "usb"},
        NO_TABLET,
        USB | {"input_bus": NONE, "pointer_model": NONE},
    ),
    # the keyboard of Arm
    (
        ARM,
        NO_TABLET,
        {
            "input_bus": "usb",
            "pointer_model": NONE,
            "usb_model": "qemu-xhci",
        },
    ),
    ({}, NO_TABLET | {"architecture": "aarch64"}, {"input_bus": "usb"}),
    (ARM | {"hw_input_bus": "virtio"}, {}, NO_USB),
    # disks and CD-ROMs on usb
    ({"hw_disk_bus": "usb"}, NO_TABLET, USB),
    (mapping({"disk_bus": "usb"}), NO_TABLET, USB),
    ({"hw_cdrom_bus": "usb"}, NO_TABLET, {"usb_model": NONE}),
    (DRIVE | {"hw_cdrom_bus": "usb"}, NO_TABLET, USB),
    # Nova leaves the controller of these to libvirt
    *(
        ({"hw_architecture": arch}, NO_TABLET, {"usb_model": "qemu-xhci"})
        for arch in ("ppc", "ppc64", "ppc64le")
    ),
    # by the flavor: without one nothing is known
    ({}, {}, {"rng": NONE, "rng_model": NONE, "pmu": NONE}),
    (
        {},
        {"specs": {}},
        {"rng": "true", "rng_model": "virtio", "pmu": "false"},
    ),
    (
        {},
        {"specs": {"hw_rng:allowed": "True"}},
        {"rng": NONE, "rng_model": "virtio"},
    ),
    (
        {},
        {"specs": {"hw_rng:allowed": "false"}},
        {"rng": NONE, "rng_model": NONE},
    ),
    (
        {"hw_rng_model": "virtio"},
        {"specs": {}},
        {"rng": "true", "rng_model": NONE},
    ),
    (
        {},
        {"specs": {}, "virt_type": "qemu"},
        {"rng": "true", "rng_model": "virtio"},
    ),
    ({}, {"specs": {"hw:pmu": "true"}}, {"pmu": NONE}),
    ({"hw_pmu": "true"}, {"specs": {}}, {"pmu": NONE}),
    *(
        ({}, {"specs": {}, "cpu_mode": mode}, {"pmu": value})
        for mode, value in (
            ("host-model", "false"),
            ("custom", "false"),
            ("none", "false"),
            ("host-passthrough", "true"),
        )
    ),
    (ARM, {"specs": {}}, {"pmu": "true"}),
    # TPM and encrypted memory, of the image or the flavor
    ({}, {}, {"tpm_model": NONE, "mem_encryption_model": NONE}),
    (TPM, {}, {"tpm_model": "tpm-tis"}),
    (TPM | {"hw_tpm_model": "tpm-crb"}, {}, {"tpm_model": NONE}),
    ({}, {"specs": {"hw:tpm_version": "2.0"}}, {"tpm_model": "tpm-tis"}),
    (
        {},
        {"specs": {"hw:tpm_version": "2.0", "hw:tpm_model": "tpm-crb"}},
        {"tpm_model": NONE},
    ),
    (ENCRYPTED, {}, {"mem_encryption_model": "amd-sev"}),
    (
        ENCRYPTED | {"hw_mem_encryption_model": "amd-sev-snp"},
        {},
        {"mem_encryption_model": NONE},
    ),
    ({"hw_mem_encryption": "no"}, {}, {"mem_encryption_model": NONE}),
]


def picked(properties, disk_format=None, specs=None, **assume):
    """Return kind to chosen device for an image."""
    request = image.read(properties, disk_format, holder=HOLDER)
    if specs is not None:
        request = compose.with_specs(request, specs)
    assumed = Assume(**assume)
    choices = list(
        defaults.implied(defaults.with_assumed(request, assumed), assumed)
    )
    result = {choice.kind: choice for choice in choices}
    assert len(result) == len(choices)
    return result


def values(choices, kinds):
    """Return kind to value, or NONE if no device is chosen."""
    return {
        kind: choices[kind].value if kind in choices else NONE
        for kind in kinds
    }


@pytest.mark.parametrize(("properties", "more", "expected"), ROWS)
def test_what_is_picked(properties, more, expected):
    assert values(picked(properties, **more), expected) == expected


ARCHITECTURES = {"hw_architecture", "hw_emulation_architecture"}
BY_DISTRO = {"os_distro", "vmware_ostype"}
MAPPINGS = {
    *("block_device_mapping", "block_device_mapping_v2", "mappings"),
    *("img_block_device_mapping", "img_mappings"),
}
MACHINE = {"hw_machine_type", "hw_architecture"}
CDROM = MACHINE | MAPPINGS | {"img_config_drive", "disk_format"}


# A change of one of these properties, or of the kind's own, is charged with
# the default.
@pytest.mark.parametrize(
    ("kind", "properties", "assume", "names"),
    [
        ("machine_type", {}, {}, MACHINE),
        ("disk_bus", {}, {}, {"vmware_adaptertype"}),
        ("disk_bus", DISTRO, {}, BY_DISTRO),
        ("cdrom_bus", DRIVE, {}, CDROM),
        ("cdrom_bus", {}, {"force_config_drive": True}, CDROM),
        ("floppy_bus", mapping({"device_type": "floppy"}), {}, MAPPINGS),
        ("vif_model", {}, {}, set()),
        ("vif_model", DISTRO, {}, BY_DISTRO),
        ("vif_model", {}, {"use_virtio_for_bridges": False}, set()),
        ("video_model", {}, {}, ARCHITECTURES),
        ("input_bus", {}, {}, ARCHITECTURES | {"hw_pointer_model"}),
        ("input_bus", ARM, {}, ARCHITECTURES | {"hw_pointer_model"}),
        ("pointer_model", {}, {}, {"hw_input_bus"}),
        (
            "usb_model",
            {"hw_disk_bus": "usb"},
            NO_TABLET,
            ARCHITECTURES | {"hw_disk_bus", "hw_input_bus"},
        ),
        ("firmware_type", ARM, {}, ARCHITECTURES),
        ("pmu", {}, {"specs": {}}, ARCHITECTURES),
        ("rng_model", {}, {"specs": {}}, set()),
        ("tpm_model", TPM, {}, {"hw_tpm_version"}),
        ("mem_encryption_model", ENCRYPTED, {}, {"hw_mem_encryption"}),
        (
            "scsi_model",
            {"hw_disk_bus": "scsi"},
            {},
            {"hw_disk_bus", "hw_cdrom_bus", "hw_rescue_bus"} | ARCHITECTURES,
        ),
    ],
)
def test_where_a_default_stands(kind, properties, assume, names):
    choice = picked(properties, **assume)[kind]
    assert choice.names == names | {f"hw_{kind}"}
    assert (choice.setting, choice.source, choice.origin, choice.holder) == (
        f"hw_{kind}",
        f"image property hw_{kind} (not set)",
        IMAGE,
        HOLDER,
    )
    assert choice.implied


def test_where_a_default_of_the_flavor_stands():
    choice = picked({}, specs={})["rng"]
    assert (choice.setting, choice.source, choice.origin) == (
        "hw_rng:allowed",
        "flavor extra spec hw_rng:allowed (not set)",
        FLAVOR,
    )


def on(bus, kind="disk_bus", **more):
    return DeviceChoice(kind, bus, "a server", **more)


def rescued_with(*choices, only=None):
    """Return a guest with a rescue disk."""
    return HardwareRequest(
        rescue_disk=HardwareRequest(choices=choices, devices=(), only=only)
    )


LSI, NO_SCSI = {"scsi_model": "lsilogic"}, {"scsi_model": NONE}
OF_DISKS, OF_CDROMS = frozenset(("disk_bus",)), frozenset(("cdrom_bus",))
HARDWARE = [
    # a guest without a disk, a network card, a display
    (
        HardwareRequest(devices=()),
        dict.fromkeys(
            (
                *("disk_bus", "vif_model", "video_model", "cdrom_bus"),
                *("input_bus", "pointer_model", "usb_model"),
            ),
            NONE,
        ),
    ),
    # all of which is known
    (HardwareRequest(complete=True), {"disk_bus": NONE, "pmu": NONE}),
    # the bus of one device, and of those that are not there
    (HardwareRequest((on("scsi", device="disk sda"),), ()), LSI),
    (
        HardwareRequest(
            (on("scsi", setting="disk sda", origin=SERVER, device="disk sda"),)
        ),
        LSI,
    ),
    (HardwareRequest((on("scsi", "cdrom_bus"),)), NO_SCSI),
    (HardwareRequest((on("scsi"),), ()), NO_SCSI),
    (HardwareRequest((on("scsi"),)), LSI),
    # the controller of a rescue disk is the guest's
    (rescued_with(on("scsi")), LSI),
    (rescued_with(on("scsi"), only=OF_DISKS), LSI),
    (rescued_with(on("scsi"), only=OF_CDROMS), NO_SCSI),
    (rescued_with(on("usb"), only=OF_DISKS), USB),
    (rescued_with(on("usb"), only=OF_CDROMS), {"usb_model": NONE}),
    # its tablet, were it a guest's, is not plugged in
    (rescued_with(on("usb", "input_bus")), {"usb_model": NONE}),
]


@pytest.mark.parametrize(("request_", "expected"), HARDWARE)
def test_what_is_picked_for_devices(request_, expected):
    result = {
        choice.kind: choice
        for choice in defaults.implied(request_, Assume(**NO_TABLET))
    }
    assert values(result, expected) == expected


ARM_DISC = HardwareRequest(
    devices=(hardware.Device(hardware.CDROM, "disc"),), architecture="aarch64"
)


@pytest.mark.parametrize(
    ("request_", "asked", "needed"),
    [
        (HardwareRequest(), ["usb_model", "pmu"], {"usb_model", "input_bus"}),
        (ARM_DISC, ["scsi_model"], {"scsi_model", "cdrom_bus"}),
        (HardwareRequest(), ["vif_model"], {"vif_model"}),
    ],
)
def test_only_the_kinds_that_are_asked_for_and_what_they_need(
    request_, asked, needed
):
    found = {
        choice.kind for choice in defaults.implied(request_, Assume(), asked)
    }
    assert found >= needed
    assert found == needed or asked != ["vif_model"]


def test_a_cdrom_of_a_machine_that_is_not_known():
    riscv = HardwareRequest(architecture="riscv64")
    assert defaults.cdrom_bus(riscv, Assume())[0] == "ide"
