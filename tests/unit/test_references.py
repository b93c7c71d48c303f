# SPDX-License-Identifier: Apache-2.0
"""References of a request that nobody can judge."""

import pytest

from nova_vhard.policy.hardware import (
    IMAGE,
    NOBODY,
    VOLUME,
    Fault,
    HardwareRequest,
    Holder,
)
from nova_vhard.policy.model import Mode
from nova_vhard.policy.subject import BOOT, MOVE, RESCUE, UPLOAD, Subject
from nova_vhard.policy.verdict import Message
from nova_vhard.request.server_request import ServerRequest
from tests.unit.explain.requests import FOREIGN, OWN, edits, found, of
from tests.unit.helpers import judge, policy

DISKS = {"disk_bus": {"allow": ["virtio"]}}
RULES = policy(guest_devices=DISKS)
URL = {"base_image_ref": "http://x"}
TEXT = (
    "image property base_image_ref='http://x' is not the ID of an image, "
    "but a rescue would boot from it"
)


@pytest.mark.parametrize(
    ("origin", "text"),
    [(IMAGE, TEXT), (VOLUME, TEXT.replace("image", "volume", 1))],
)
def test_a_reference_is_a_violation_of_its_own(origin, text):
    request = of(URL, BOOT, Holder("3c4d"), origin)
    refusals, fix = found(RULES, request)
    (violation,) = refusals
    assert violation.rules == ("guest_devices",)
    assert violation.cause == Message(
        text,
        f"{origin} property base_image_ref",
        "http://x",
        names=frozenset(("base_image_ref",)),
    )
    assert (edits(fix), fix.left) == ({"base_image_ref": None}, [])


@pytest.mark.parametrize("operation", [BOOT, UPLOAD])
@pytest.mark.parametrize("holder", [OWN, FOREIGN, NOBODY])
def test_a_reference_is_removed(holder, operation):
    properties = {**URL, "hw_disk_bus": "virtio"}
    _, fix = found(RULES, of(properties, operation, holder))
    (document,) = fix.draft.documents.values()
    assert document == {"hw_disk_bus": "virtio"}


def test_a_fix_of_its_own():
    fault = Fault("the root volume", "3c4d", "cannot be read", fix="ask")
    hardware = HardwareRequest(faults=(fault, Fault("b", "x", "is odd")))
    request = ServerRequest(hardware, Subject(RESCUE, "p1"))
    refusals, fix = found(RULES, request, lambda _draft: request)
    violation, other = refusals
    assert other.cause.source == "b"
    text = "the root volume='3c4d' cannot be read"
    assert violation.cause == Message(
        text, "the root volume", "3c4d", fix="ask"
    )
    assert fix.left == [violation, other]


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
