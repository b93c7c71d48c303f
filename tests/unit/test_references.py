# SPDX-License-Identifier: Apache-2.0
"""References of a request that nobody can judge."""

import pytest

from nova_vhard.explain import messages
from nova_vhard.policy.hardware import (
    VOLUME,
    Fault,
    HardwareRequest,
    Holder,
)
from nova_vhard.policy.model import Mode
from nova_vhard.policy.remedy import Change
from nova_vhard.policy.subject import BOOT, MOVE, RESCUE, UPLOAD, Subject
from nova_vhard.policy.verdict import Message, evaluate
from nova_vhard.request import image
from tests.unit.helpers import TODAY, judge, policy

DISKS = {"disk_bus": {"allow": ["virtio"]}}
RULES = policy(guest_devices=DISKS)
OWN = Holder("1f2e", "p1", "raw")
UNSET = "run `openstack image unset --property base_image_ref 1f2e`"
URL = {"base_image_ref": "http://x"}
TEXT = (
    "image property base_image_ref='http://x' is not the id of an image, "
    "and a rescue would boot what it names"
)


def test_what_is_said_of_a_reference():
    verdict = judge(RULES, URL)
    (violation,) = verdict.refusals
    assert violation.rules == ("guest_devices",)
    names = frozenset(("base_image_ref",))
    assert violation.cause == Message(
        TEXT, "image property base_image_ref", "http://x", names=names
    )
    assert violation.changes == (Change("image", "base_image_ref", None),)
    assert messages.api_message([violation], Subject(BOOT)) == (
        "This cloud's hardening policy refuses the request: "
        f"{TEXT}. [rule guest_devices] To fix: run `openstack image unset "
        "--property base_image_ref IMAGE`"
    )
    assert messages.fault_message([violation]) == TEXT


def test_a_volume_is_another_place():
    request = image.read(URL, None, VOLUME, Holder("3c4d"))
    verdict = evaluate(RULES, request, Subject(BOOT, "p1"), TODAY)
    assert messages.describe(verdict.refusals, Subject(BOOT, "p1")) == (
        f"{TEXT.replace('image property', 'volume property', 1)}. [rule "
        "guest_devices] To fix: run `openstack volume unset --image-property "
        "base_image_ref 3c4d`"
    )


@pytest.mark.parametrize(
    ("project", "operation", "fix"),
    [
        ("p1", BOOT, UNSET),
        ("p1", UPLOAD, UNSET),
        # a copy says what is allowed and nothing else
        (
            "p2",
            BOOT,
            "image 1f2e belongs to project p1, who alone can change it; to "
            "use a copy of your own, which has no property but these, run "
            "`openstack image save --file my-copy.img 1f2e`, then `openstack "
            "image create --file my-copy.img --disk-format raw "
            "--container-format bare --property hw_disk_bus=virtio my-copy`, "
            "and name my-copy in its place",
        ),
    ],
)
def test_whose_image_it_is(project, operation, fix):
    properties = {**URL, "hw_disk_bus": "virtio"}
    request = image.read(properties, None, "image", OWN)
    subject = Subject(operation, project)
    verdict = evaluate(RULES, request, subject, TODAY)
    text = messages.describe(verdict.refusals, subject)
    assert text == f"{TEXT}. [rule guest_devices] To fix: {fix}"


def test_a_fix_of_its_own():
    fault = Fault("the root volume", "3c4d", "cannot be read", fix="ask")
    request = HardwareRequest(faults=(fault,))
    subject = Subject(RESCUE, "p1")
    (violation,) = evaluate(RULES, request, subject, TODAY).refusals
    text = "the root volume='3c4d' cannot be read"
    assert violation.cause == Message(
        text, "the root volume", "3c4d", fix="ask"
    )
    assert violation.changes == ()
    assert messages.describe([violation], subject) == (
        f"{text}. [rule guest_devices] To fix: ask"
    )


def test_each_reference_is_one_violation():
    faults = tuple(Fault(name, "x", "is odd") for name in ("a", "b"))
    request = HardwareRequest(faults=faults)
    verdict = evaluate(RULES, request, Subject(BOOT), TODAY)
    assert [each.cause.source for each in verdict.refusals] == ["a", "b"]


@pytest.mark.parametrize(
    ("keys", "operation", "mode"),
    [
        ({}, BOOT, Mode.ENFORCE),
        ({"guest_devices": {}}, BOOT, Mode.ENFORCE),
        ({"guest_devices": {}, "mode": "audit"}, BOOT, Mode.AUDIT),
        ({"mode": "warn"}, BOOT, Mode.WARN),
        # it could break the strongest of the rules
        (
            {
                "mode": "audit",
                "guest_devices": {
                    **DISKS,
                    "sound_model": {"allow": [], "mode": "warn"},
                },
            },
            BOOT,
            Mode.WARN,
        ),
        # whatever moves are allowed: no server had it
        ({}, MOVE, Mode.ENFORCE),
    ],
)
def test_how_it_is_judged(keys, operation, mode):
    rules = policy(**{"guest_devices": DISKS, **keys})
    (violation,) = judge(rules, URL, operation=operation).violations
    assert violation.mode is mode
