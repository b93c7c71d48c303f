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


def test_a_policy_without_replacements_has_none():
    devices = {"disk_bus": {"allow": ["virtio"]}}
    disks = policy(guest_devices=devices).guest_devices["disk_bus"]
    assert dict(disks.replace) == {}
    assert disks.replacement("ide") is None


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


def test_a_rule_of_another_file_can_be_given_replacements(tmp_path):
    text = """\
        version: "1"
        extends: baseline
        guest_devices: {disk_bus: {replace: {ide: virtio}}}
        """
    rules = document.load(write(tmp_path / "policy.yaml", text))
    assert rules.guest_devices["disk_bus"].replacement("ide") == "virtio"


def extending(tmp_path, rule):
    text = f'version: "1"\nextends: baseline\nguest_devices:\n  {rule}\n'
    return document.load(write(tmp_path / "policy.yaml", text))


@pytest.mark.parametrize(
    ("allow", "kept"),
    [
        ("[virtio, none]", {}),
        ("[vga]", {"cirrus": "vga", "qxl": "vga", "vmvga": "vga"}),
        ('["v*"]', {"cirrus": "vga", "qxl": "vga", "vmvga": "vga"}),
        ("[virtio], replace: {qxl: virtio}", {"qxl": "virtio"}),
    ],
)
def test_replacements_that_a_narrower_file_does_not_allow_go(
    tmp_path, allow, kept
):
    rules = extending(tmp_path, f"video_model: {{allow: {allow}}}")
    assert dict(rules.guest_devices["video_model"].replace) == kept


def test_a_file_that_is_extended_may_have_no_rules(tmp_path):
    write(tmp_path / "modes.yaml", 'version: "1"\nmode: warn\n')
    rule = "{disk_bus: {allow: [virtio], replace: {ide: virtio}}}"
    text = f'version: "1"\nextends: modes.yaml\nguest_devices: {rule}\n'
    rules = document.load(write(tmp_path / "policy.yaml", text))
    assert dict(rules.guest_devices["disk_bus"].replace) == {"ide": "virtio"}


def test_replacements_go_also_of_a_file_between_the_two(tmp_path):
    write(
        tmp_path / "between.yaml",
        'version: "1"\nextends: baseline\n'
        "guest_devices: {video_model: {allow: [virtio]}}\n",
    )
    text = 'version: "1"\nextends: between.yaml\nmode: warn\n'
    rules = document.load(write(tmp_path / "policy.yaml", text))
    assert dict(rules.guest_devices["video_model"].replace) == {}
    assert dict(rules.guest_devices["cdrom_bus"].replace) == {"ide": "sata"}


def test_a_replacement_must_be_allowed_by_the_file_that_is_extended(tmp_path):
    with pytest.raises(PolicyError) as caught:
        extending(tmp_path, "disk_bus: {replace: {ide: sata}}")
    (problem,) = caught.value.problems
    assert problem.line == 4
    assert problem.path == "guest_devices.disk_bus.replace.ide"


def test_it_is_told_with_what_else_is_wrong(tmp_path):
    with pytest.raises(PolicyError) as caught:
        extending(
            tmp_path,
            "disk_bus: {allow: [virtio], replace: {ide: sata}}\n"
            "  vif_model: {mode: hard}",
        )
    assert {problem.path for problem in caught.value.problems} == {
        "guest_devices.vif_model.mode",
        "guest_devices.disk_bus.replace.ide",
    }


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
