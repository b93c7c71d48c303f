# SPDX-License-Identifier: Apache-2.0
"""Values that a fix proposes for one violation among several."""

import pytest

from nova_vhard.policy.remedy import Change
from nova_vhard.policy.subject import ATTACH, BOOT
from tests.unit.helpers import judge, policy

VIRTIO_SCSI = ("hw_scsi_model", "virtio-scsi")
CONTROLLERS = {"scsi_model": {"allow": ["virtio-scsi"]}}
BUSES = {"disk_bus": {"allow": ["sata", "virtio"]}}


def changes(devices, properties, kind, operation=BOOT):
    """Return what would mend the violation of one kind's rule."""
    rules = policy(guest_devices=devices)
    (violation,) = (
        one
        for one in judge(rules, properties, operation=operation).refusals
        if one.rule == f"guest_devices.{kind}"
    )
    return [(change.name, change.value) for change in violation.changes]


@pytest.mark.parametrize(
    ("emulations", "bus"),
    [
        # what stays emulated has no sata
        (["aarch64"], "virtio"),
        ("*", "virtio"),
        (None, "virtio"),
        # what is emulated no longer has
        (["x86_64"], "sata"),
        ([], "sata"),
    ],
)
def test_what_works_once_the_rest_is_mended(emulations, bus):
    devices = dict(BUSES)
    if emulations is not None:
        devices["emulation_architecture"] = {"allow": list(emulations)}
    properties = {
        "hw_emulation_architecture": "aarch64",
        "hw_disk_bus": "ide",
    }
    mended = changes(devices, properties, "disk_bus")
    assert mended == [("hw_disk_bus", bus)]


@pytest.mark.parametrize(
    ("properties", "bus"),
    [
        ({}, "sata"),
        ({"hw_architecture": "aarch64"}, "virtio"),
        ({"hw_emulation_architecture": "x86_64"}, "sata"),
    ],
)
def test_what_the_architecture_can_have(properties, bus):
    properties = {**properties, "hw_disk_bus": "ide"}
    assert changes(BUSES, properties, "disk_bus") == [("hw_disk_bus", bus)]


def test_what_nova_plugs_into_a_running_guest():
    mended = changes(BUSES, {"hw_disk_bus": "ide"}, "disk_bus", ATTACH)
    assert mended == [("hw_disk_bus", "virtio")]


@pytest.mark.parametrize(
    ("allow", "properties", "expected"),
    [
        # on scsi, with its controller
        (["scsi"], {}, [("hw_rescue_bus", "scsi"), VIRTIO_SCSI]),
        (["scsi"], {"hw_disk_bus": "sata"}, [("hw_rescue_bus", None)]),
        # on what needs none
        (["scsi", "virtio"], {}, [("hw_rescue_bus", "virtio")]),
        (["usb"], {"hw_disk_bus": "scsi"}, [("hw_rescue_bus", "usb")]),
        # without the property it is on the bus of the disks
        ([], {"hw_disk_bus": "scsi"}, [("hw_rescue_bus", None), VIRTIO_SCSI]),
        ([], {"hw_disk_bus": "virtio"}, [("hw_rescue_bus", None)]),
        ([], {}, [("hw_rescue_bus", None)]),
        ([], {"os_distro": "plan9"}, [("hw_rescue_bus", None)]),
        # of a CD-ROM: by the machine, where no property says it
        (
            [],
            {"hw_rescue_device": "cdrom", "hw_architecture": "aarch64"},
            [("hw_rescue_bus", None), VIRTIO_SCSI],
        ),
        (
            [],
            {"hw_rescue_device": "cdrom", "hw_disk_bus": "scsi"},
            [("hw_rescue_bus", None)],
        ),
        (
            [],
            {"hw_rescue_device": "cdrom", "hw_cdrom_bus": "scsi"},
            [("hw_rescue_bus", None), VIRTIO_SCSI],
        ),
    ],
)
def test_a_rescue_bus_and_its_controller(allow, properties, expected):
    devices = {
        "rescue_bus": {"allow": allow},
        "disk_bus": {"allow": ["sata", "scsi"]},
        **CONTROLLERS,
    }
    properties = {**properties, "hw_rescue_bus": "ide"}
    assert changes(devices, properties, "rescue_bus") == expected


ARM = {"hw_architecture": "aarch64"}
EMULATED = {"hw_emulation_architecture": "aarch64"}
Q35 = {"machine_type": {"x86_64": "pc-q35-9.2"}}


@pytest.mark.parametrize(
    ("allow", "properties", "assume", "machine"),
    [
        # one that is spelt out is proposed, else Nova's own choice
        (["q35", "pc*"], {}, {}, "q35"),
        (["pc*"], {}, {}, "pc"),
        (["pc-q35-*"], {}, Q35, "pc-q35-9.2"),
        (["vir*"], ARM, {}, "virt"),
        (["vir*"], EMULATED, {}, "virt"),
        # which the policy may refuse as well
        (["pc-q35-*"], {}, {}, None),
        (["pc*"], ARM, {}, None),
        ([], {}, {}, None),
    ],
)
def test_a_machine_type_where_the_policy_has_patterns(
    allow, properties, assume, machine
):
    rules = policy(
        assume=assume, guest_devices={"machine_type": {"allow": allow}}
    )
    properties = {**properties, "hw_machine_type": "odd"}
    (violation,) = judge(rules, properties).refusals
    assert violation.changes == (Change("image", "hw_machine_type", machine),)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("floppy_bus", "hw_floppy_bus", "fdc"),
        ("sound_model", "hw_sound_model", "ich6"),
        ("watchdog_action", "hw_watchdog_action", "reset"),
    ],
)
def test_what_is_left_out_needs_no_controller(kind, name, value):
    devices = {kind: {"allow": []}, **CONTROLLERS}
    properties = {name: value, "hw_disk_bus": "scsi"}
    assert changes(devices, properties, kind) == [(name, None)]


def test_a_change_is_of_the_image():
    rules = policy(guest_devices={"disk_bus": {"allow": ["virtio"]}})
    (violation,) = judge(rules, {"hw_disk_bus": "ide"}).refusals
    assert violation.changes == (Change("image", "hw_disk_bus", "virtio"),)
