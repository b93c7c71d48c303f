# SPDX-License-Identifier: Apache-2.0
"""``replace`` of a rule: what may take a refused value's place."""

import pytest

from nova_vhard.common.problems import PolicyError
from nova_vhard.osc.image import images
from nova_vhard.policy import document
from nova_vhard.policy.model import DeviceRule, Values
from tests.unit.helpers import TODAY, policy, write


def rule(replace, allow=("virtio", "scsi"), kind="disk_bus"):
    devices = {kind: {"allow": list(allow), "replace": replace}}
    return policy(guest_devices=devices).guest_devices[kind]


@pytest.mark.parametrize(
    ("replace", "value", "good"),
    [
        ({"ide": "virtio"}, "ide", "virtio"),
        ({"ide": "virtio"}, "sata", None),
        ({"*": "virtio"}, "sata", "virtio"),
        ({"*": "virtio", "ide": "scsi"}, "ide", "scsi"),
        ({"*": "virtio", "ide": "scsi"}, "sata", "virtio"),
        # what libosinfo would pick is not known
        ({"*": "virtio"}, None, "virtio"),
        ({"ide": "virtio"}, None, None),
        ({}, "ide", None),
    ],
)
def test_what_takes_its_place(replace, value, good):
    assert rule(replace).replacement(value) == good


def test_what_a_narrower_rule_refuses_takes_nothings_place():
    narrower = DeviceRule(
        "disk_bus", Values(("scsi",)), replace={"ide": "virtio", "*": "scsi"}
    )
    assert narrower.replacement("ide") is None
    assert narrower.replacement("sata") == "scsi"


def test_another_spelling_of_either_value():
    cards = rule({"VirtualE1000": "VirtIO"}, ["virtio"], "vif_model")
    assert dict(cards.replace) == {"e1000": "virtio"}


def test_what_an_image_is_given():
    rules = policy(
        guest_devices={
            "disk_bus": {"allow": ["virtio"], "replace": {"ide": "virtio"}},
            "vif_model": {"allow": ["virtio"]},
        }
    )
    image = {"id": "1f2e", "hw_disk_bus": "ide", "hw_vif_model": "e1000"}
    finding = images.find(rules, image, TODAY)
    assert finding.changes == {"hw_disk_bus": "virtio"}
    (left,) = images.mended(rules, finding, TODAY)
    assert left.rule == "guest_devices.vif_model"


BETWEEN = """\
    version: "1"
    extends: baseline
    mode: warn
    guest_devices: {video_model: {allow: [virtio]}}
    """


def extending(tmp_path, rule, base="baseline"):
    write(tmp_path / "modes.yaml", 'version: "1"\nmode: warn\n')
    write(tmp_path / "between.yaml", BETWEEN)
    text = f'version: "1"\nextends: {base}\nguest_devices:\n  {rule}\n'
    return document.load(write(tmp_path / "policy.yaml", text))


VGA = {"cirrus": "vga", "qxl": "vga", "vmvga": "vga"}
DISK = "disk_bus: {allow: [virtio], replace: {ide: virtio}}"


@pytest.mark.parametrize(
    ("base", "rule", "kind", "kept"),
    [
        ("baseline", "video_model: {allow: [virtio, none]}", "", {}),
        ("baseline", "video_model: {allow: [vga]}", "", VGA),
        ("baseline", 'video_model: {allow: ["v*"]}', "", VGA),
        (
            "baseline",
            "video_model: {allow: [virtio], replace: {qxl: virtio}}",
            "",
            {"qxl": "virtio"},
        ),
        # A rule of another file can be given replacements.
        (
            "baseline",
            "disk_bus: {replace: {ide: virtio}}",
            "disk_bus",
            {"ide": "virtio"},
        ),
        # A file that is extended may have no rules.
        ("modes.yaml", DISK, "disk_bus", {"ide": "virtio"}),
        # They go also of a file between the two.
        ("between.yaml", DISK, "", {}),
        ("between.yaml", DISK, "cdrom_bus", {"ide": "sata"}),
        ("modes.yaml", "disk_bus: {allow: [virtio]}", "disk_bus", {}),
    ],
)
def test_replacements_that_a_narrower_file_does_not_allow_go(
    tmp_path, base, rule, kind, kept
):
    rules = extending(tmp_path, rule, base)
    assert dict(rules.guest_devices[kind or "video_model"].replace) == kept


@pytest.mark.parametrize(
    ("rule", "places"),
    [
        (
            "disk_bus: {replace: {ide: sata}}",
            [(4, "guest_devices.disk_bus.replace.ide")],
        ),
        # It is told with what else is wrong.
        (
            "vif_model: {mode: hard}\n"
            "  disk_bus: {allow: [virtio], replace: {ide: sata}}",
            [
                (4, "guest_devices.vif_model.mode"),
                (5, "guest_devices.disk_bus.replace.ide"),
            ],
        ),
    ],
)
def test_a_replacement_must_be_allowed(tmp_path, rule, places):
    with pytest.raises(PolicyError) as caught:
        extending(tmp_path, rule)
    assert [(each.line, each.path) for each in caught.value.problems] == places


@pytest.mark.parametrize(
    ("kind", "replace", "path"),
    [
        ("disk_bus", {"ide": "sata"}, ".ide"),
        ("disk_bus", {"*": "sata"}, ".*"),
        ("disk_bus", {"idee": "virtio"}, ".idee"),
        ("serial_port_count", {"two": "1"}, ".two"),
        ("serial_port_count", {"2": "few"}, ".2"),
        ("vif_model", {"e1000": "virtoi"}, ".e1000"),
        ("vif_model", {"e1000": "*"}, ".e1000"),
        ("vif_model", {"e1000*": "virtio"}, ".e1000*"),
        ("machine_type", {"*": "pc-q35-*"}, ".*"),
        ("image_signature_hash", {"SHA-224": "SHA-256"}, ""),
    ],
)
def test_what_is_wrong_and_where(kind, replace, path):
    allow = ["virtio"] if kind == "disk_bus" else ["*"]
    with pytest.raises(PolicyError) as caught:
        rule(replace, allow, kind)
    (problem,) = caught.value.problems
    assert problem.path == f"guest_devices.{kind}.replace{path}"
