# SPDX-License-Identifier: Apache-2.0
"""Tests of a violation, field by field."""

import pytest

from nova_vhard.policy import hosts
from nova_vhard.policy.hardware import (
    PASSTHROUGH,
    VOLUME,
    DeviceChoice,
    HardwareRequest,
    Holder,
    Passthrough,
)
from nova_vhard.policy.model import Mode
from nova_vhard.policy.subject import BOOT, Subject
from nova_vhard.policy.verdict import (
    Verdict,
    evaluate,
    with_more,
)
from nova_vhard.request import image
from tests.unit.helpers import TODAY, policy

WHO = Subject(BOOT, "p1")
VIRTIO = {"allow": ["virtio"]}
GPU = Passthrough("aliases", "gpu", "the flavor", "2", ("nic0",))


def violations(rules, request):
    return evaluate(policy(**rules), request, WHO, TODAY).violations


def test_a_device_of_the_host_that_nobody_may_have():
    rules = {"passthrough": {"allow": {"aliases": ["nic"]}, "mode": "warn"}}
    request = HardwareRequest(passthrough=(GPU,))
    (violation,) = violations(rules, request)
    assert violation.rules == ("passthrough.allow",)
    assert violation.cause == DeviceChoice(
        kind="aliases",
        value="gpu",
        source="the flavor",
        setting="the flavor",
        origin=PASSTHROUGH,
        synonyms=("nic0",),
    )
    assert (violation.allowed, violation.count) == (("nic",), "2")
    assert violation.mode is Mode.WARN


@pytest.mark.parametrize("complete", [True, False])
def test_what_must_be_said_of_a_kind_without_a_default(complete):
    rules = {
        "guest_devices": {
            "tpm_version": {"allow": ["2.0"], "explicit": True},
            # no disk is on scsi, so nothing is to be said of it
            "scsi_model": {"allow": ["virtio-scsi"], "explicit": True},
        }
    }
    holder = Holder("v1", "p1")
    request = HardwareRequest(origin=VOLUME, holder=holder, complete=complete)
    result = violations(rules, request)
    if complete:
        assert not result
        return
    (violation,) = result
    assert violation.missing
    choice = violation.cause
    assert (choice.kind, choice.origin, choice.holder) == (
        "tpm_version",
        VOLUME,
        holder,
    )
    assert choice.names == {"hw_tpm_version"}


def test_more_violations_are_beside_those_that_are_there():
    rules = policy(guest_devices={"disk_bus": VIRTIO})
    verdict = evaluate(rules, image.read({"hw_disk_bus": "ide"}), WHO, TODAY)
    both = with_more(verdict, verdict.violations)
    assert both.violations == verdict.violations * 2
    assert both.policy == verdict.policy == rules.digest


def test_under_a_policy_that_is_switched_off():
    rules = policy(enabled=False)
    verdict = evaluate(rules, HardwareRequest(), WHO, TODAY)
    assert verdict == Verdict(policy=rules.digest, enabled=False)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_rule_of_the_hosts_has_a_mode_of_its_own(mode):
    rules = policy(
        passthrough={
            "allow": {"aliases": ["gpu"]},
            "require": ["iommu", "one_time_use"],
            "mode": mode,
        },
        hosts={"require": ["smt"], "mode": mode},
    )
    request = HardwareRequest(passthrough=(GPU,))
    result = hosts.host_requirements(rules, request, WHO, TODAY)
    assert [requirement.mode for requirement in result] == [mode, mode]
    assert hosts.one_time_use(rules, request, WHO, TODAY) is mode
