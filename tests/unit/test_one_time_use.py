# SPDX-License-Identifier: Apache-2.0
"""``passthrough.require: [one_time_use]``: what the policy itself says.

What hosts' devices say is in tests/functional/nova/passthrough.
"""

import pytest

from nova_vhard.policy.hardware import HardwareRequest, Passthrough
from nova_vhard.policy.hosts import host_requirements, one_time_use
from nova_vhard.policy.model import Mode
from nova_vhard.policy.subject import (
    ATTACH,
    BOOT,
    MOVE,
    REBUILD,
    RESCUE,
    START,
    Subject,
)
from nova_vhard.policy.verdict import evaluate, violated
from nova_vhard.request import described
from tests.unit.helpers import TODAY, policy

RULE = "passthrough.require"
EVERY = {
    "aliases": "*",
    "ports": ["vf", "pf"],
    "device_profiles": "*",
    "mdev": "*",
}
GPU = Passthrough("aliases", "gpu", "flavor extra spec pci_passthrough:alias")
NEVER = (
    Passthrough("ports", "vf", "port 1"),
    Passthrough("ports", "pf", "port 2"),
    Passthrough("device_profiles", "fpga", "flavor"),
    Passthrough("mdev", "VGPU", "flavor"),
)
LIFTED = {
    "id": "old",
    "reason": "r",
    "until": "2999-01-01",
    "projects": ["p"],
    "rules": {RULE: ["one_time_use"]},
}


def rules(*require, **more):
    entry = {"allow": EVERY, "require": list(require)}
    return policy(passthrough=entry, **more)


def judged(rule, *asked, operation=BOOT, **more):
    subject = Subject(operation, project="p")
    request = HardwareRequest(passthrough=asked)
    return evaluate(rule, request, subject, TODAY, **more)


def test_it_is_asked_of_devices_and_not_of_hosts():
    rule = rules("iommu", "one_time_use")
    request = HardwareRequest(passthrough=(GPU,))
    (demand,) = host_requirements(rule, request, Subject(BOOT), TODAY)
    assert demand.checks == {"iommu"}
    assert not judged(rule, GPU).violations


@pytest.mark.parametrize("item", NEVER, ids=lambda item: item.name)
@pytest.mark.parametrize("operation", [BOOT, MOVE, ATTACH, START])
def test_what_can_never_be_so(item, operation):
    (refusal,) = judged(
        rules("one_time_use"), item, operation=operation
    ).refusals
    assert refusal.rules == (RULE,)
    cause = refusal.cause
    assert (cause.source, cause.kind) == (item.source, item.kind)
    assert (refusal.cause.value, refusal.count) == ("one_time_use", "")
    assert refusal.devices == {item.name}
    assert not judged(rules("iommu"), item, operation=operation).violations


def test_two_devices_are_two_violations_and_no_move_softens_them():
    rule = rules("one_time_use", moves={"guest_devices": "audit"})
    request = HardwareRequest(passthrough=NEVER)
    already = violated(rule, [request], Subject(BOOT), TODAY)
    result = judged(rule, *NEVER, operation=MOVE, already=already)
    assert len(result.refusals) == len(NEVER) == len(already)


WARN = {"require": ["one_time_use"], "mode": "audit"}
REQUIRED = ["one_time_use"]
SOFT = {"allow": EVERY, "require": REQUIRED, "mode": "warn"}


@pytest.mark.parametrize(
    ("require", "keys", "asked", "operation", "expected"),
    [
        (REQUIRED, {}, [GPU], BOOT, Mode.ENFORCE),
        (["iommu"], {}, [GPU], BOOT, None),
        (REQUIRED, {}, NEVER, BOOT, None),
        ([], {}, [GPU], BOOT, None),
        (REQUIRED, {"enabled": False}, [GPU], BOOT, None),
        (REQUIRED, {}, [GPU], REBUILD, None),
        (REQUIRED, {"exemptions": [LIFTED]}, [GPU], BOOT, None),
        (REQUIRED, {"mode": "warn"}, [GPU], BOOT, Mode.WARN),
        (REQUIRED, {"passthrough": WARN}, [GPU], BOOT, Mode.AUDIT),
    ],
)
def test_whether_hosts_are_asked(require, keys, asked, operation, expected):
    entry = {"allow": EVERY, "require": require}
    rule = policy(**{"passthrough": entry, **keys})
    subject = Subject(operation, project="p")
    request = HardwareRequest(passthrough=tuple(asked))
    assert one_time_use(rule, request, subject, TODAY) is expected


@pytest.mark.parametrize(
    ("keys", "asked", "operation", "outcome", "devices"),
    [
        # What an alias leads to is judged.
        ({}, [GPU, NEVER[0]], BOOT, "refuse", [{"vf"}]),
        # A server that stays keeps its devices.
        ({}, NEVER, REBUILD, "allow", []),
        ({}, NEVER, RESCUE, "allow", []),
        ({"exemptions": [LIFTED]}, NEVER, BOOT, "allow", []),
        ({"passthrough": SOFT}, NEVER[:1], BOOT, "warn", [{"vf"}]),
        (
            {"mode": "audit"},
            NEVER,
            BOOT,
            "audit",
            [{each.name} for each in NEVER],
        ),
    ],
)
def test_devices_that_are_refused(keys, asked, operation, outcome, devices):
    rule = policy(
        **{"passthrough": {"allow": EVERY, "require": REQUIRED}, **keys}
    )
    result = judged(rule, *asked, operation=operation)
    assert result.outcome == outcome
    assert [each.devices for each in result.violations] == devices
    assert {name for _, name in result.exempted} == (
        {"old"} if "exemptions" in keys else set()
    )


def test_a_described_request_tells_it_too():
    flavor = {"extra_specs": {"pci_passthrough:alias": "gpu:1"}}
    data = {"operation": BOOT, "flavor": flavor}
    checks = described.read(data).host_checks(
        rules("iommu", "one_time_use"), TODAY
    )
    assert checks == {"iommu", "one_time_use"}
