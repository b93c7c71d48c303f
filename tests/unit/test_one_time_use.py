# SPDX-License-Identifier: Apache-2.0
"""``passthrough.require: [one_time_use]``: what the policy itself says.

What hosts' devices say is in tests/functional/nova/passthrough.
"""

import pytest

from nova_vhard.common.problems import PolicyError
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


def mode(rule, *asked, operation=BOOT):
    subject = Subject(operation, project="p")
    request = HardwareRequest(passthrough=asked)
    return one_time_use(rule, request, subject, TODAY)


def test_it_is_asked_of_devices_and_not_of_hosts():
    rule = rules("iommu", "one_time_use")
    request = HardwareRequest(passthrough=(GPU,))
    (demand,) = host_requirements(rule, request, Subject(BOOT), TODAY)
    assert demand.checks == {"iommu"}
    assert mode(rule, GPU) is Mode.ENFORCE
    assert not judged(rule, GPU).violations


def test_without_the_rule_or_an_alias_no_host_is_looked_at():
    assert mode(rules("iommu"), GPU) is None
    assert mode(rules("one_time_use"), *NEVER) is None
    assert mode(policy(), GPU) is None
    assert mode(rules("one_time_use", enabled=False), GPU) is None
    assert mode(rules("one_time_use"), GPU, operation=REBUILD) is None


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


def test_an_alias_is_no_end_of_what_is_judged():
    (refusal,) = judged(rules("one_time_use"), GPU, NEVER[0]).refusals
    assert refusal.devices == {"vf"}


@pytest.mark.parametrize("operation", [REBUILD, RESCUE])
def test_a_server_that_stays_keeps_its_devices(operation):
    assert not judged(
        rules("one_time_use"), *NEVER, operation=operation
    ).violations


def test_two_devices_are_two_violations_and_no_move_softens_them():
    rule = rules("one_time_use", moves={"guest_devices": "audit"})
    request = HardwareRequest(passthrough=NEVER)
    already = violated(rule, [request], Subject(BOOT), TODAY)
    result = judged(rule, *NEVER, operation=MOVE, already=already)
    assert len(result.refusals) == len(NEVER) == len(already)


def test_an_exemption_and_a_mode():
    exempt = rules("one_time_use", exemptions=[LIFTED])
    assert mode(exempt, GPU) is None
    result = judged(exempt, *NEVER)
    assert not result.violations
    assert {name for _, name in result.exempted} == {"old"}
    assert mode(rules("one_time_use", mode="warn"), GPU) is Mode.WARN
    entry = {"require": ["one_time_use"], "mode": "audit"}
    assert mode(policy(passthrough=entry), GPU) is Mode.AUDIT
    assert judged(rules("one_time_use", mode="audit"), *NEVER).outcome == (
        "audit"
    )


def test_a_described_request_tells_it_too():
    flavor = {"extra_specs": {"pci_passthrough:alias": "gpu:1"}}
    data = {"operation": BOOT, "flavor": flavor}
    checks = described.read(data).host_checks(
        rules("iommu", "one_time_use"), TODAY
    )
    assert checks == {"iommu", "one_time_use"}


def test_its_place_is_in_passthrough_require():
    for keys in (
        {"hosts": {"require": ["one_time_use"]}},
        {"passthrough": {"require": ["one_time_us"]}},
    ):
        with pytest.raises(PolicyError) as caught:
            policy(**keys)
        (problem,) = caught.value.problems
        assert problem.path == f"{next(iter(keys))}.require[0]"
