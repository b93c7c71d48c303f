# SPDX-License-Identifier: Apache-2.0
"""Fixes of what a server keeps, and of the disk that it is rescued with.

tests/functional/nova does the same to servers.
"""

from dataclasses import replace

import pytest

from nova_vhard.explain import messages
from nova_vhard.policy.hardware import (
    SERVER,
    STORED,
    VOLUME,
    DeviceChoice,
    HardwareRequest,
    Holder,
)
from nova_vhard.policy.remedy import is_foreign
from nova_vhard.policy.subject import REBUILD, RESCUE, Subject
from nova_vhard.policy.verdict import evaluate
from nova_vhard.request import image
from nova_vhard.request.lookups import Image
from nova_vhard.request.parts import with_specs
from nova_vhard.request.rescue import rescue_disk
from tests.unit.helpers import TODAY, policy

OWN = Holder("0ef1", "p1", "qcow2")
FOREIGN = Holder("f0e1", "p2", "qcow2")
RESCUER = Holder("4e5c", "p1", "raw")
ON_SCSI = {"hw_rescue_bus": "scsi"}
CONTROLLER = "hw_scsi_model=virtio-scsi"
ANOTHER_BUS = "run `openstack image set --property hw_rescue_bus=virtio 4e5c`"
STAYS = (
    "Nova keeps what the image of a server said when it was built: rebuild "
    "the server, which writes its root disk anew, or create another one, "
    "from an image "
)


def fixes(rules, request, operation):
    """Return rule and fix of each violation, alone."""
    subject = Subject(operation, "p1")
    verdict = evaluate(rules, request, subject, TODAY)
    answers = {}
    for each in verdict.violations:
        _, _, fix = messages.describe([each], subject).partition(" To fix: ")
        answers[each.rule.removeprefix("guest_devices.")] = fix
    return answers


@pytest.mark.parametrize(
    ("kind", "value", "fix"),
    [
        ("disk_bus", "ide", "from an image with hw_disk_bus=virtio"),
        # no value of a property takes it away
        ("floppy_bus", "fdc", "without it"),
        ("sound_model", "ich6", "without it"),
        # and none chooses it
        ("device_type", "lun", "without it"),
    ],
)
def test_a_device_that_a_server_keeps(kind, value, fix):
    devices = {
        "disk_bus": {"allow": ["virtio"]},
        "floppy_bus": {"allow": []},
        "sound_model": {"allow": []},
        "device_type": {"allow": ["disk"]},
    }
    kept = DeviceChoice(kind, value, "server's sda", "sda", SERVER)
    request = HardwareRequest(choices=(kept,), only=frozenset((kind,)))
    assert fixes(policy(guest_devices=devices), request, REBUILD) == {
        kind: "Nova keeps the server's sda as long as the server lives: "
        f"create a new server {fix}"
    }


@pytest.mark.parametrize(
    ("properties", "fix"),
    [
        ({"hw_disk_bus": "ide"}, "with hw_disk_bus=virtio"),
        ({"hw_floppy_bus": "fdc"}, "without hw_floppy_bus"),
        (
            {"hw_floppy_bus": "fdc", "hw_sound_model": "ich6"},
            "without hw_floppy_bus or hw_sound_model",
        ),
        (
            {
                "hw_floppy_bus": "fdc",
                "hw_sound_model": "ich6",
                "hw_disk_bus": "ide",
                "hw_vif_model": "e1000",
            },
            "with hw_disk_bus=virtio and hw_vif_model=virtio and without "
            "hw_floppy_bus or hw_sound_model",
        ),
    ],
)
def test_what_nova_keeps_of_an_image(properties, fix):
    strict = policy(
        guest_devices={
            "disk_bus": {"allow": ["virtio"]},
            "vif_model": {"allow": ["virtio"]},
            "floppy_bus": {"allow": []},
            "sound_model": {"allow": []},
        }
    )
    request = image.read(properties, holder=STORED)
    subject = Subject(REBUILD, "p1")
    verdict = evaluate(strict, request, subject, TODAY)
    text = messages.describe(verdict.refusals, subject)
    assert text.endswith(f" To fix: {STAYS}{fix}")


def rescued(rules, own, properties=None, origin="image", **more):
    """Return the fixes of a rescue on scsi."""
    request = image.read(properties or {}, None, origin, own)
    disk = rescue_disk(Image({**ON_SCSI, **more}, "raw", holder=RESCUER))
    return fixes(rules, replace(request, rescue_disk=disk), RESCUE)


def rules(*buses, **more):
    devices = {
        "rescue_bus": {"allow": list(buses)},
        "scsi_model": {"allow": ["virtio-scsi"]},
        **more,
    }
    return policy(guest_devices=devices)


@pytest.mark.parametrize(
    ("own", "origin", "fix"),
    [
        # the controller is the server's, and its image this project's
        (
            OWN,
            "image",
            f"run `openstack image set --property {CONTROLLER} 0ef1`",
        ),
        (
            Holder("7701"),
            VOLUME,
            f"run `openstack volume set --image-property {CONTROLLER} 7701`",
        ),
        # or the bus is another, where nobody here can change that image
        (FOREIGN, "image", ANOTHER_BUS),
        (STORED, "image", ANOTHER_BUS),
    ],
)
def test_the_controller_of_a_rescue_disk(own, origin, fix):
    answers = rescued(rules("scsi", "virtio"), own, origin=origin)
    assert answers == {"scsi_model": fix}


def test_a_cdrom_takes_a_bus_that_cdroms_have():
    answers = rescued(
        rules("scsi", "virtio", "sata"), FOREIGN, hw_rescue_device="cdrom"
    )
    fix = "run `openstack image set --property hw_rescue_bus=sata 4e5c`"
    assert answers == {"scsi_model": fix}


def set_on(image_id, *options):
    words = " ".join(f"--property {option}" for option in options)
    return f"run `openstack image set {words} {image_id}`"


@pytest.mark.parametrize(
    ("properties", "own", "origin", "controller"),
    [
        # of the image that is rescued, not of the one that rescues
        ({}, OWN, "image", set_on("0ef1", CONTROLLER)),
        (
            {},
            Holder("7701"),
            VOLUME,
            f"run `openstack volume set --image-property {CONTROLLER} 7701`",
        ),
        # which has one already
        ({"hw_scsi_model": "virtio-scsi"}, OWN, "image", None),
    ],
    ids=["image", "volume", "controller"],
)
def test_a_rescue_disk_that_has_to_go_onto_scsi(
    properties, own, origin, controller
):
    # on virtio, the bus without the property, it may not be
    rule = rules("scsi", disk_bus={"allow": ["sata"]})
    properties = {**properties, "hw_disk_bus": "sata"}
    answers = rescued(rule, own, properties, origin, hw_rescue_bus="ide")
    steps = [set_on("4e5c", "hw_rescue_bus=scsi"), controller]
    assert answers == {"rescue_bus": "; ".join(filter(None, steps))}


def copied(*options):
    given = " ".join(f"--property {option}" for option in options)
    return (
        "image f0e1 belongs to project p2, who alone can change it; to use a "
        "copy of your own, which has no property but these, run `openstack "
        "image save --file my-copy.img f0e1`, then `openstack image create "
        "--file my-copy.img --disk-format qcow2 --container-format bare "
        f"{given} my-copy`, and name my-copy in its place"
    )


@pytest.mark.parametrize(
    ("own", "fix"),
    [
        (OWN, f"run `openstack image set --property {CONTROLLER} 0ef1`"),
        (FOREIGN, copied(CONTROLLER)),
        (STORED, f"{STAYS}with {CONTROLLER}"),
    ],
)
def test_where_no_other_bus_is_allowed(own, fix):
    assert rescued(rules("scsi"), own) == {"scsi_model": fix}


def test_a_rescue_bus_without_a_rule():
    rule = policy(guest_devices={"scsi_model": {"allow": ["virtio-scsi"]}})
    assert rescued(rule, FOREIGN) == {"scsi_model": copied(CONTROLLER)}


@pytest.mark.parametrize(
    ("origin", "holder", "project", "foreign"),
    [
        ("image", FOREIGN, "p1", True),
        ("image", OWN, "p1", False),
        ("image", Holder("0ef1"), "p1", False),
        # what Nova keeps is nobody's to change
        ("image", STORED, "p1", False),
        ("image", FOREIGN, None, False),
        # a volume is its project's alone
        (VOLUME, FOREIGN, "p1", False),
    ],
)
def test_whose_an_image_is(origin, holder, project, foreign):
    subject = Subject(REBUILD, project)
    assert is_foreign(origin, holder, subject) is foreign


def test_what_a_copy_carries():
    """What is allowed of the image itself: no lists, no flavor's choices."""
    devices = {"disk_bus": {"allow": ["virtio"]}, "floppy_bus": {"allow": []}}
    properties = {
        "hw_disk_bus": "ide",
        "hw_vif_model": "virtio",
        "hw_floppy_bus": "fdc",
        "mappings": '[{"device_type": "disk"}]',
    }
    request = image.read(properties, holder=FOREIGN)
    specs = {"hw_rng:allowed": "true", "hw:tpm_version": "2.0"}
    verdict = evaluate(
        policy(guest_devices=devices),
        with_specs(request, specs),
        Subject(REBUILD, "p1"),
        TODAY,
    )
    assert {each.carried for each in verdict.violations} == {
        (("hw_vif_model", "virtio"),)
    }


@pytest.mark.parametrize(
    ("own", "fix"),
    [(FOREIGN, copied(CONTROLLER)), (STORED, f"{STAYS}with {CONTROLLER}")],
)
def test_a_controller_that_the_image_says(own, fix):
    """Another bus of the rescue disk would not take it away."""
    properties = {"hw_scsi_model": "lsilogic"}
    answers = rescued(rules("scsi", "virtio"), own, properties)
    assert answers == {"scsi_model": fix}


@pytest.mark.parametrize(
    ("own", "fix"),
    [
        (FOREIGN, copied(CONTROLLER, "hw_vif_model=e1000e")),
        (STORED, f"{STAYS}with hw_vif_model=e1000e"),
    ],
)
def test_another_default_is_no_matter_of_the_rescue_disk(own, fix):
    rule = rules("scsi", "virtio", vif_model={"allow": ["e1000e"]})
    properties = {"hw_scsi_model": "virtio-scsi"}
    answers = rescued(rule, own, properties)
    assert answers == {"vif_model": fix}
