# SPDX-License-Identifier: Apache-2.0
"""Fixes word for word: of a change, of an upload, of a flavor."""

import json
from types import MappingProxyType

import pytest

from nova_vhard.explain.fixes import how_to_fix
from nova_vhard.policy.hardware import HardwareRequest, Holder
from nova_vhard.policy.subject import BOOT, SNAPSHOT, UPDATE, UPLOAD, Subject
from nova_vhard.policy.verdict import evaluate, introduced_violations
from nova_vhard.request import image
from nova_vhard.request.parts import with_specs
from tests.unit.helpers import TODAY, policy

NONE = {"allow": []}
RULES = policy(
    guest_devices={
        "disk_bus": {"allow": ["virtio"]},
        "vif_model": {"allow": ["virtio"]},
        "floppy_bus": NONE,
        "sound_model": NONE,
        "tpm_model": NONE,
        "tpm_version": NONE,
    }
)
IDE = {"hw_disk_bus": "ide"}
TWO = {**IDE, "hw_vif_model": "e1000"}
SOUND = {"hw_sound_model": "ac97"}
NEITHER = {**SOUND, "hw_floppy_bus": "fdc"}
LISTED = {"mappings": json.dumps([{"disk_bus": "ide"}])}
BUS = "--property hw_disk_bus=virtio"
BOTH = f"{BUS} --property hw_vif_model=virtio"
NEW = "the metadata of the new image"


def change(operation, properties, before=MappingProxyType({}), rules=RULES):
    """Return the fix of a change to these properties."""
    subject = Subject(operation, "p1")
    after, old = (
        evaluate(rules, image.read(state), subject, TODAY)
        for state in (properties, before)
    )
    touched = {name for name, _ in properties.items() ^ before.items()}
    verdict = introduced_violations(after, old, frozenset(touched))
    return how_to_fix(verdict.violations, subject)


@pytest.mark.parametrize(
    ("properties", "fix"),
    [
        (
            IDE,
            f"make the change with `{BUS}`, or leave hw_disk_bus as it is",
        ),
        (
            TWO,
            f"make the change with `{BOTH}`, or leave hw_disk_bus and "
            "hw_vif_model as it is",
        ),
        (SOUND, "leave hw_sound_model as it is"),
        (LISTED, "leave mappings as it is"),
        (
            {**IDE, **NEITHER, **LISTED},
            f"make the change with `{BUS}`, and leave hw_floppy_bus, "
            "hw_sound_model and mappings as it is",
        ),
    ],
)
def test_a_change_of_an_image(properties, fix):
    assert change(UPDATE, properties) == fix


CDROM = {"img_config_drive": "mandatory", "hw_machine_type": "pc"}
SCSI = {"hw_disk_bus": "scsi"}
ON_SCSI = {"mappings": json.dumps([{"disk_bus": "scsi"}])}
CONTROLLER = "--property hw_scsi_model=virtio-scsi"


@pytest.mark.parametrize(
    ("devices", "before", "after", "fix"),
    [
        # a pattern is no value to set
        (
            {"cdrom_bus": ["sat*"]},
            {**CDROM, "hw_cdrom_bus": "sata"},
            CDROM,
            "leave hw_cdrom_bus as it is",
        ),
        # what goes along with a change that no value mends
        (
            {
                "rescue_bus": [],
                "disk_bus": ["scsi"],
                "scsi_model": ["virtio-scsi"],
            },
            SCSI,
            {**SCSI, "hw_rescue_bus": "ide"},
            f"make the change with `{CONTROLLER}`, and leave hw_rescue_bus "
            "as it is",
        ),
        # another property than the one that the rule is about
        (
            {"scsi_model": ["virtio-scsi"]},
            {},
            ON_SCSI,
            f"make the change with `{CONTROLLER}`, or leave mappings as it is",
        ),
        (
            {"scsi_model": ["virtio*"]},
            {},
            ON_SCSI,
            "leave mappings as it is",
        ),
    ],
)
def test_a_change_that_brings_in_a_default(devices, before, after, fix):
    rules = {kind: {"allow": allow} for kind, allow in devices.items()}
    rules = policy(guest_devices=rules)
    assert change(UPDATE, after, before, rules) == fix


@pytest.mark.parametrize(
    ("properties", "fix"),
    [
        (
            IDE,
            f"set hw_disk_bus=virtio in {NEW}, or leave hw_disk_bus out of "
            f"{NEW}",
        ),
        (
            TWO,
            f"set hw_disk_bus=virtio and hw_vif_model=virtio in {NEW}, or "
            f"leave hw_disk_bus and hw_vif_model out of {NEW}",
        ),
        (SOUND, f"leave hw_sound_model out of {NEW}"),
        (
            {**IDE, **SOUND},
            f"set hw_disk_bus=virtio in {NEW}, and leave hw_sound_model out "
            f"of {NEW}",
        ),
    ],
)
def test_metadata_of_a_snapshot(properties, fix):
    assert change(SNAPSHOT, properties) == fix


@pytest.mark.parametrize(
    ("properties", "fix"),
    [
        (TWO, f"upload it with `{BOTH}`"),
        (NEITHER, "upload it without hw_floppy_bus or hw_sound_model"),
        (
            {**IDE, **SOUND},
            f"upload it with `{BUS}` and without hw_sound_model",
        ),
        (LISTED, "in mappings of the upload set [0].disk_bus to virtio"),
    ],
)
def test_an_upload(properties, fix):
    subject = Subject(UPLOAD, "p1")
    verdict = evaluate(RULES, image.read(properties), subject, TODAY)
    assert how_to_fix(verdict.violations, subject) == fix


@pytest.mark.parametrize(
    ("properties", "fix"),
    [
        (
            {**IDE, **NEITHER},
            f"run `openstack image set {BUS} 1f2e`, then `openstack image "
            "unset --property hw_floppy_bus --property hw_sound_model 1f2e`",
        ),
        (LISTED, "in mappings of image 1f2e set [0].disk_bus to virtio"),
    ],
)
def test_an_image_that_is_there(properties, fix):
    subject = Subject(BOOT, "p1")
    request = image.read(properties, holder=Holder("1f2e", "p1"))
    verdict = evaluate(RULES, request, subject, TODAY)
    assert how_to_fix(verdict.violations, subject) == fix


def test_a_flavor():
    subject = Subject(BOOT, "p1")
    specs = {"hw:tpm_model": "tpm-tis", "hw:tpm_version": "2.0"}
    request = with_specs(HardwareRequest(), specs)
    verdict = evaluate(RULES, request, subject, TODAY)
    assert how_to_fix(verdict.violations, subject) == (
        "choose a flavor without hw:tpm_model or hw:tpm_version"
    )
