# SPDX-License-Identifier: Apache-2.0
"""Tests of the shipped policies with aarch64 guests."""

import pytest

from tests.unit.helpers import broken, judge, shipped

ARM = {"hw_architecture": "aarch64"}
SAID = {
    **ARM,
    "hw_disk_bus": "virtio",
    "hw_vif_model": "virtio",
    "hw_input_bus": "virtio",
}
CONFIG_DRIVE = {"img_config_drive": "mandatory"}
CONTROLLER = {"hw_scsi_model": "virtio-scsi"}
#: libvirt's own choice of a controller for Nova's CD-ROM.
LSI = ("scsi_model", "lsilogic")
KEYBOARD = {("input_bus", "usb"), ("usb_model", "qemu-xhci")}


@pytest.mark.parametrize(
    ("properties", "violations"),
    [
        (ARM, set()),
        ({**ARM, "hw_machine_type": "virt-10.0"}, set()),
        ({**ARM, **CONFIG_DRIVE}, {LSI}),
        ({**ARM, **CONFIG_DRIVE, **CONTROLLER}, set()),
        (
            {**ARM, **CONFIG_DRIVE, "hw_cdrom_bus": "ide"},
            {("cdrom_bus", "ide")},
        ),
    ],
)
def test_baseline(properties, violations):
    assert broken(judge(shipped("baseline"), properties)) == violations


@pytest.mark.parametrize("name", ["strict", "scs"])
@pytest.mark.parametrize(
    ("properties", "violations"),
    [
        (SAID, set()),
        ({**SAID, **CONFIG_DRIVE}, {LSI}),
        ({**SAID, **CONFIG_DRIVE, **CONTROLLER}, set()),
        # Nova's keyboard needs a controller.
        ({**SAID, "hw_input_bus": "usb"}, KEYBOARD),
        ({k: SAID[k] for k in SAID if k != "hw_input_bus"}, KEYBOARD),
        # QEMU has no other for Arm: a policy of its own has to allow it.
        ({**SAID, "hw_tpm_version": "2.0"}, {("tpm_model", "tpm-tis")}),
    ],
)
def test_strict(name, properties, violations):
    assert broken(judge(shipped(name), properties)) == violations
