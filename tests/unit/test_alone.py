# SPDX-License-Identifier: Apache-2.0
"""A change that is allowed by itself is allowed whatever the image says."""

import datetime
import random
from types import SimpleNamespace

import pytest

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.gates import glance_api
from nova_vhard.gates.glance_image import changed
from nova_vhard.policy.subject import UPDATE, Subject
from nova_vhard.policy.verdict import (
    evaluate,
    introduced_violations,
    keys_of,
)
from nova_vhard.request import image as image_reader
from tests.unit.helpers import policy

DAY = datetime.date(2026, 6, 15)
WHO = Subject(UPDATE, project="p1", image="i")
MEMBER = SimpleNamespace(is_admin=False)
NAMES = sorted(image_reader.READ | {"hw_architecture", "os_distro"})
MAPPING = [
    {"source_type": "blank", "disk_bus": "ide", "device_type": "cdrom"},
    {"source_type": "blank", "device_type": "floppy"},
    {"source_type": "blank", "disk_bus": "scsi"},
]
VALUES = {
    "img_block_device_mapping": (MAPPING, []),
    "block_device_mapping": (MAPPING, "[{]"),
    "hw_machine_type": ("pc", "q35", "virt"),
    "hw_architecture": ("x86_64", "aarch64", "ppc64"),
    "hw_emulation_architecture": ("aarch64", "x86_64"),
    "img_config_drive": ("mandatory", "optional"),
    "os_distro": ("fedora19", ""),
    "disk_format": ("iso", "raw"),
    "base_image_ref": ("x", ""),
}
ODD = ("VirtIO", "e1000", "true", "1", "")


def values_of(name):
    kind = image_reader.KIND_OF.get(name)
    values = KINDS[kind].values if kind else ()
    return (*VALUES.get(name, ()), *values, *ODD)


def a_policy(draw):
    """Return rules of all kinds, each with values that there are."""
    rules = {}
    for kind in KINDS.values():
        if kind.values and kind.image_properties:
            most = min(3, len(kind.values))
            allowed = draw.sample(kind.values, draw.randint(0, most))
            text = {"explicit": True} if draw.random() < 0.2 else {}
            rules[kind.name] = {"allow": allowed, **text}
    rules["machine_type"] = {"allow": draw.choice((["q35"], ["pc", "virt"]))}
    return policy(guest_devices=rules)


def a_change(draw, rules):
    """Return the setting of a property to what its rule allows, mostly."""
    name = draw.choice(NAMES)
    rule = rules.guest_devices.get(image_reader.KIND_OF.get(name))
    allowed = rule.allow.listed if rule else ()
    return add(name, draw.choice(allowed or values_of(name)))


def an_image(draw):
    names = draw.sample(NAMES, draw.randint(0, 10))
    return {name: draw.choice(values_of(name)) for name in names}


def brought_in(rules, before, changes):
    """Return the violations that are new, or of a kind that is set anew.

    Of the whole image, as it is without the short cut. A controller that a
    block device of the image needs now as before is neither.
    """
    touched = frozenset(change["path"][0] for change in changes)
    old, new = (
        evaluate(
            rules,
            image_reader.read(image, image.get("disk_format")),
            WHO,
            DAY,
        )
        for image in (before, changed(before, changes))
    )
    kept = keys_of(old)
    kinds = {image_reader.KIND_OF.get(name) for name in touched}
    return [
        violation
        for violation in introduced_violations(new, old, touched).violations
        if not violation.keys <= kept or violation.cause.kind in kinds
    ]


def add(name, value, op="add"):
    return {"op": op, "path": [name], "value": value}


def test_nothing_else_in_an_image_makes_a_difference():
    """With any property too many in ALONE this fails."""
    draw = random.Random(20261127)
    passed = 0
    for _ in range(1000):
        rules = a_policy(draw)
        changes = [a_change(draw, rules) for _ in range(draw.randint(1, 2))]
        if not glance_api._is_allowed_for_any_image(rules, MEMBER, changes):
            continue
        passed += 1
        for _ in range(10):
            before = an_image(draw)
            assert brought_in(rules, before, changes) == [], before
    assert passed > 50


@pytest.mark.parametrize("name", sorted(image_reader.ALONE))
def test_each_is_a_kind_of_its_own(name):
    (choice,) = image_reader.read({name: "virtio"}).choices
    assert choice.names == {name}


RULES = policy(
    guest_devices={
        "disk_bus": {"allow": ["virtio", "scsi"]},
        "machine_type": {"allow": ["q35"]},
    }
)


@pytest.mark.parametrize(
    "changes",
    [
        [add("hw_disk_bus", "virtio")],
        [add("hw_disk_bus", "virtio", "replace"), add("name", "x")],
        # no rule is about it
        [add("hw_video_model", "cirrus")],
        [{"op": "remove", "path": ["name"]}, add("hw_disk_bus", "virtio")],
    ],
)
def test_allowed_anyway(changes):
    assert glance_api._is_allowed_for_any_image(RULES, MEMBER, changes)


@pytest.mark.parametrize(
    "changes",
    [
        [add("hw_disk_bus", "ide")],
        # brings in a controller
        [add("hw_disk_bus", "scsi")],
        [add("hw_cdrom_bus", "scsi")],
        [add("hw_disk_bus", "")],
        [add("hw_disk_bus", None)],
        # then a default holds
        [{"op": "remove", "path": ["hw_disk_bus"]}],
        [
            add("hw_disk_bus", "virtio"),
            {"op": "remove", "path": ["hw_disk_bus"]},
        ],
        [add("hw_disk_bus", "virtio"), add("hw_disk_bus", "ide")],
        # by these Nova picks other devices, too
        [add("hw_machine_type", "q35")],
        [add("hw_disk_bus", "virtio"), add("os_distro", "x")],
        [add("img_block_device_mapping", [])],
        [add("disk_bus", "virtio"), add("vmware_adaptertype", "ide")],
    ],
    ids=str,
)
def test_the_image_is_needed(changes):
    assert not glance_api._is_allowed_for_any_image(RULES, MEMBER, changes)


def test_an_administrators_change_may_be_of_anothers_image():
    changes = [add("hw_disk_bus", "virtio")]
    admin = SimpleNamespace(is_admin=True)
    assert not glance_api._is_allowed_for_any_image(RULES, admin, changes)
