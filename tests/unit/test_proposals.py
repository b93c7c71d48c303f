# SPDX-License-Identifier: Apache-2.0
"""Values that a fix proposes for one violation among several."""

import pytest

from nova_vhard.catalogue.devices import KINDS
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
        each
        for each in judge(rules, properties, operation=operation).refusals
        if each.rule == f"guest_devices.{kind}"
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


FIRMWARE = {"firmware_type": {"allow": ["uefi"]}}
LEFT_OUT = ("hw_emulation_architecture", None)


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        (FIRMWARE, [LEFT_OUT, ("hw_firmware_type", "uefi")]),
        # a default that stays as it was
        ({"video_model": {"allow": ["virtio"]}}, [LEFT_OUT]),
        # with the controller that the architecture without emulation needs
        (
            {"disk_bus": {"allow": ["scsi"]}, **CONTROLLERS},
            [LEFT_OUT, ("hw_disk_bus", "scsi"), VIRTIO_SCSI],
        ),
        # what is emulated from then on
        (
            {**FIRMWARE, "emulation_architecture": {"allow": ["aarch64"]}},
            [("hw_emulation_architecture", "aarch64")],
        ),
    ],
)
def test_defaults_of_what_is_emulated_no_longer(devices, expected):
    devices = {"emulation_architecture": {"allow": []}, **devices}
    properties = {"hw_emulation_architecture": "s390x"}
    mended = changes(devices, properties, "emulation_architecture")
    assert mended == expected


@pytest.mark.parametrize(
    ("properties", "allow", "explicit", "controller"),
    [
        ({}, ["virtio-scsi"], False, [VIRTIO_SCSI]),
        # libvirt's own choice
        ({}, ["virtio-scsi", "lsilogic"], False, []),
        ({"hw_architecture": "s390x"}, ["virtio-scsi"], False, []),
        # which the image has to say
        ({"hw_architecture": "s390x"}, ["virtio-scsi"], True, [VIRTIO_SCSI]),
    ],
)
def test_a_controller_that_is_needed(properties, allow, explicit, controller):
    devices = {
        "disk_bus": {"allow": ["scsi"]},
        "scsi_model": {"allow": allow, "explicit": explicit},
    }
    properties = {**properties, "hw_disk_bus": "ide"}
    mended = changes(devices, properties, "disk_bus")
    assert mended == [("hw_disk_bus", "scsi"), *controller]


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        # without the property the disk is on virtio
        ({}, [("hw_rescue_bus", None)]),
        # or where libosinfo would have it
        ({"os_distro": "plan9"}, [("hw_rescue_bus", "scsi"), VIRTIO_SCSI]),
    ],
)
def test_a_rescue_bus_that_nobody_says(properties, expected):
    devices = {
        "rescue_bus": {"allow": ["scsi"]},
        "disk_bus": {"allow": ["virtio"]},
        **CONTROLLERS,
    }
    properties = {**properties, "hw_rescue_bus": "ide"}
    assert changes(devices, properties, "rescue_bus") == expected


@pytest.mark.parametrize(
    ("allow", "bus"), [(["disk"], "virtio"), (["disk", "cdrom"], "sata")]
)
def test_a_rescue_device_once_the_rest_is_mended(allow, bus):
    devices = {
        "rescue_device": {"allow": allow},
        "rescue_bus": {"allow": ["virtio", "sata"]},
    }
    properties = {"hw_rescue_device": "cdrom", "hw_rescue_bus": "ide"}
    mended = changes(devices, properties, "rescue_bus")
    assert mended == [("hw_rescue_bus", bus)]


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
        # which the policy may refuse as well: then there is none to be had
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
    change = Change("image", "hw_machine_type", machine)
    assert violation.changes == ((change,) if machine else ())


@pytest.mark.parametrize(
    ("name", "value", "rule", "is_mended"),
    [
        ("hw_vif_model", "e1000", {"allow": []}, False),
        ("hw_vif_model", "e1000", {"allow": ["lan9118"]}, False),
        ("hw_vif_model", "e1000", {"allow": ["v*"]}, True),
        ("hw_firmware_type", "bios", {"allow": []}, False),
        ("hw_pmu", "true", {"allow": []}, True),
        ("hw_pmu", "true", {"allow": [], "explicit": True}, False),
        # of those a guest may have none
        ("hw_cdrom_bus", "ide", {"allow": [], "explicit": True}, True),
        ("hw_tpm_model", "tpm-tis", {"allow": []}, True),
    ],
)
def test_a_property_that_is_taken_away(name, value, rule, is_mended):
    (kind,) = [kind for kind in KINDS if name in KINDS[kind].image_properties]
    rules = policy(guest_devices={kind: rule})
    (violation,) = judge(rules, {name: value}).refusals
    change = Change("image", name, None)
    assert violation.changes == ((change,) if is_mended else ())
    assert bool(judge(rules, {}).refusals) is not is_mended


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
