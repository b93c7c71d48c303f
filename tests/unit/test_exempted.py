# SPDX-License-Identifier: Apache-2.0
"""Exemptions of an image among several, and on the day that is given."""

import datetime

import pytest

from nova_vhard.policy.hardware import (
    BLOCK_DEVICE,
    IMAGE,
    ROOT,
    VOLUME,
    DeviceChoice,
    HardwareRequest,
    Holder,
)
from nova_vhard.policy.subject import BOOT, RESCUE, Subject
from nova_vhard.policy.verdict import ViolationKey, evaluate, violated
from nova_vhard.request import image
from tests.unit.helpers import TODAY, policy

DISK = "guest_devices.disk_bus"
IDE = {"hw_disk_bus": "ide"}


def make(devices=None, **more):
    exemption = {
        "id": "legacy",
        "reason": "r",
        "until": "2026-06-15",
        "projects": ["p1"],
        "rules": {DISK: ["ide"]},
        **more,
    }
    devices = devices or {"disk_bus": {"allow": ["virtio"]}}
    return policy(guest_devices=devices, exemptions=[exemption])


def of_image(holder):
    return image.read(IDE, holder=Holder(holder))


def of_volume(made_of):
    return image.read(IDE, origin=VOLUME, holder=Holder("v1", made_of=made_of))


IN_BODY = HardwareRequest(
    (
        DeviceChoice(
            "disk_bus", "ide", "s", origin=BLOCK_DEVICE, holder=Holder("i2")
        ),
    )
)


@pytest.mark.parametrize(
    ("exempt", "named", "request_", "outcome"),
    [
        # the image of the server, and the one that it is rescued with
        ("i1", "i1", of_image("i1"), "allow"),
        ("i1", "i1", of_image("i2"), "refuse"),
        ("i2", "i1", of_image("i2"), "allow"),
        ("i2", "i1", of_image("i1"), "refuse"),
        # a choice that is not in any known image
        ("i1", "i1", of_image(None), "allow"),
        ("i1", None, of_image("i1"), "allow"),
        ("i1", None, of_image(None), "refuse"),
        # a volume and, in a rescue, the image beside it
        ("i1", None, of_volume("i1"), "allow"),
        ("i1", "i2", of_volume("i1"), "allow"),
        ("i1", "i1", of_volume("i2"), "refuse"),
        ("i1", "i1", of_volume(None), "refuse"),
        ("i1", None, of_volume(None), "refuse"),
        *(
            ("v1", named, of_volume(made_of), "refuse")
            for named in (None, "i1", "i2")
            for made_of in (None, "i1", "i2")
        ),
        # a choice that is not the image's is the request's
        ("i1", "i1", IN_BODY, "allow"),
        ("i1", "i2", IN_BODY, "refuse"),
    ],
)
def test_the_image_that_a_choice_is_in(exempt, named, request_, outcome):
    rules = make(images=[exempt])
    subject = Subject(RESCUE, "p1", image=named)
    verdict = evaluate(rules, request_, subject, TODAY)
    assert verdict.outcome == outcome
    assert len(verdict.exempted or verdict.violations) == 1


@pytest.mark.parametrize(
    ("origin", "holder", "outcome"),
    [
        (IMAGE, Holder("i1"), "allow"),
        (IMAGE, Holder("i2"), "refuse"),
        (IMAGE, Holder(), "refuse"),
        # nothing proves what a volume has in it
        (VOLUME, Holder("v1", made_of="i1"), "refuse"),
        (VOLUME, Holder("i1"), "refuse"),
        (VOLUME, Holder(), "refuse"),
    ],
)
def test_an_exemption_from_signatures_is_for_the_image(
    origin, holder, outcome
):
    devices = {"image_signature": {"allow": ["?*"], "explicit": True}}
    rule = {"guest_devices.image_signature": "*"}
    rules = make(devices, images=["i1"], rules=rule)
    request = image.read({}, origin=origin, holder=holder)
    subject = Subject(BOOT, "p1", image="i1")
    assert evaluate(rules, request, subject, TODAY).outcome == outcome


@pytest.mark.parametrize(
    ("days", "project", "lifted"),
    [(0, "p1", True), (1, "p1", False), (0, "p2", False)],
)
def test_what_a_server_violates_by_a_day(days, project, lifted):
    requests = [image.read(IDE), image.read({"hw_disk_bus": "sata"})]
    today = TODAY + datetime.timedelta(days=days)
    keys = violated(make(), requests, Subject(BOOT, project), today)
    kept = ["sata"] if lifted else ["ide", "sata"]
    assert keys == {
        ViolationKey((DISK,), value, device=ROOT) for value in kept
    }


@pytest.mark.parametrize(
    ("value", "pattern", "lifted"),
    [
        ("ide", "ide", True),
        ("ide", "i*", True),
        ("ide", "sata", False),
        (None, "*", True),
        # what Nova or libosinfo picks is not called "None"
        (None, "*o*", False),
    ],
)
def test_a_value_that_cannot_be_known_is_lifted_by_any_alone(
    value, pattern, lifted
):
    rules = make(rules={DISK: [pattern]})
    exemption = rules.exemption(DISK, value, Subject(BOOT, "p1"), TODAY)
    assert (exemption is not None) is lifted


def test_nothing_is_violated_by_nothing():
    assert violated(make(), [], Subject(BOOT), TODAY) == frozenset()
