# SPDX-License-Identifier: Apache-2.0
"""What a policy says of a request: modes, moves, exemptions, changes."""

import datetime

import pytest

from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.policy.model import Mode
from nova_vhard.policy.subject import BOOT, MOVE, REBUILD, UNSHELVE, Subject
from nova_vhard.policy.verdict import evaluate, introduced_violations, soften
from nova_vhard.request import image
from tests.unit.helpers import TODAY, broken, judge, policy

RULES = {
    "disk_bus": {"allow": ["virtio", "scsi"]},
    "vif_model": {"allow": ["virtio"]},
    "machine_type": {"allow": ["q35", "pc-q35-*"], "mode": "warn"},
}
Q35 = {"machine_type": {"x86_64": "q35"}}
OLD = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}


def make(**keys):
    return policy(**{"guest_devices": RULES, "assume": Q35, **keys})


def exemption(**keys):
    return {
        "id": "legacy",
        "reason": "r",
        "until": "2026-06-15",
        "rules": {"guest_devices.disk_bus": ["ide"]},
        **keys,
    }


def test_all_violations_at_once():
    verdict = judge(make(), OLD)
    assert verdict.outcome == "refuse"
    assert broken(verdict) == {("disk_bus", "ide"), ("vif_model", "e1000")}


def test_a_clean_request():
    assert judge(make(), {"hw_disk_bus": "virtio"}).outcome == "allow"


def test_patterns():
    rules = make()
    assert not broken(judge(rules, {"hw_machine_type": "pc-q35-9.2"}))
    verdict = judge(rules, {"hw_machine_type": "pc-i440fx-9.2"})
    assert verdict.outcome == "warn"


def test_switched_off():
    verdict = judge(make(enabled=False), OLD)
    assert verdict.outcome == "disabled"
    assert not verdict.violations


@pytest.mark.parametrize(
    ("keys", "who", "outcome"),
    [
        ({"mode": "enforce"}, {}, "refuse"),
        ({"mode": "warn"}, {}, "warn"),
        ({"mode": "audit"}, {}, "audit"),
        (
            {"projects": [{"projects": ["p1"], "mode": "audit"}]},
            {"project": "p1"},
            "audit",
        ),
        (
            {"projects": [{"projects": ["p1"], "mode": "audit"}]},
            {"project": "p2"},
            "refuse",
        ),
        (
            {"projects": [{"domains": ["d1"], "mode": "warn"}]},
            {"domain": "d1"},
            "warn",
        ),
        # A subject without a domain is in no domain.
        (
            {"projects": [{"domains": ["d1"], "mode": "warn"}]},
            {"domain": None},
            "refuse",
        ),
    ],
)
def test_which_mode_holds(keys, who, outcome):
    assert judge(make(**keys), OLD, **who).outcome == outcome


def test_a_rules_own_mode_beats_the_projects():
    rules = make(projects=[{"projects": ["p1"], "mode": "audit"}])
    verdict = judge(rules, {"hw_machine_type": "pc"}, project="p1")
    assert verdict.outcome == "warn"


@pytest.mark.parametrize(
    ("moves", "mode", "outcome"),
    [
        ("warn", "enforce", "warn"),
        ("audit", "enforce", "audit"),
        ("enforce", "enforce", "refuse"),
        ("enforce", "audit", "audit"),
        ("warn", "audit", "audit"),
    ],
)
def test_a_move_is_never_judged_harder_than_moves_says(moves, mode, outcome):
    rules = make(mode=mode, moves={"guest_devices": moves})
    assert judge(rules, OLD, operation=MOVE).outcome == outcome


def test_what_the_server_had_already_is_a_moves():
    old = judge(make(), OLD)
    subject = Subject(REBUILD, "p1")
    request = image.read({**OLD, "hw_disk_bus": "sata"})
    already = frozenset(each.key for each in old.violations)
    verdict = evaluate(make(), request, subject, TODAY, already)
    assert [each.rule for each in verdict.refusals] == [
        "guest_devices.disk_bus"
    ]
    assert [each.rule for each in verdict.warnings] == [
        "guest_devices.vif_model"
    ]


@pytest.mark.parametrize(
    ("selector", "who", "lifted"),
    [
        ({"projects": ["p1"]}, {"project": "p1"}, True),
        ({"projects": ["p1"]}, {"project": "p2"}, False),
        ({"projects": ["p1"]}, {"project": None}, False),
        ({"domains": ["d1"]}, {"domain": "d1"}, True),
        ({"domains": ["d1"]}, {}, False),
        ({"flavors": ["f"]}, {"flavor": "f"}, True),
        ({"flavors": ["42"]}, {"flavor_id": "42"}, True),
        ({"flavors": ["f"]}, {"flavor": "g"}, False),
        ({"roles": ["Legacy"]}, {"roles": frozenset(("legacy",))}, True),
        ({"roles": ["legacy"]}, {"roles": frozenset()}, False),
        ({"projects": ["p1"], "images": ["i"]}, {"image": "i"}, True),
        ({"projects": ["p1"], "images": ["i"]}, {"image": "j"}, False),
        ({"projects": ["p2"], "images": ["i"]}, {"image": "i"}, False),
        ({"projects": ["p1"], "roles": ["r"]}, {}, False),
    ],
)
def test_whom_an_exemption_covers(selector, who, lifted):
    rules = make(exemptions=[exemption(**selector)])
    verdict = judge(rules, {"hw_disk_bus": "ide"}, **who)
    assert verdict.outcome == ("allow" if lifted else "refuse")
    assert [name for _, name in verdict.exempted] == ["legacy"] * lifted


def test_an_exemption_lifts_only_what_it_names():
    rules = make(exemptions=[exemption(projects=["p1"])])
    assert broken(judge(rules, OLD)) == {("vif_model", "e1000")}
    assert broken(judge(rules, {"hw_disk_bus": "fdc"})) == {
        ("disk_bus", "fdc")
    }


def test_an_exemption_holds_through_its_last_day():
    rules = make(exemptions=[exemption(projects=["p1"])])
    request = image.read({"hw_disk_bus": "ide"})
    subject = Subject(BOOT, "p1")
    tomorrow = TODAY + datetime.timedelta(days=1)
    assert evaluate(rules, request, subject, TODAY).outcome == "allow"
    assert evaluate(rules, request, subject, tomorrow).outcome == "refuse"


def test_only_an_exemption_for_any_value_lifts_an_unknown_one():
    rules = {"disk_bus": {"allow": ["virtio"], "explicit": True}}
    named = exemption(projects=["p1"])
    anything = exemption(
        projects=["p1"], rules={"guest_devices.disk_bus": "*"}
    )
    properties = {"os_distro": "ubuntu"}
    for entry, outcome in ((named, "refuse"), (anything, "allow")):
        judged = policy(guest_devices=rules, exemptions=[entry])
        assert judge(judged, properties).outcome == outcome


@pytest.mark.parametrize(
    ("before", "after", "touched", "refused"),
    [
        # A new name for an old image is nobody's fault.
        (OLD, OLD, {"name"}, set()),
        # What is touched must be right afterwards.
        (OLD, OLD, {"hw_disk_bus"}, {"disk_bus"}),
        (OLD, {**OLD, "hw_disk_bus": "virtio"}, {"hw_disk_bus"}, set()),
        # What comes in is charged, wherever it comes from.
        ({}, OLD, {"hw_disk_bus", "hw_vif_model"}, {"disk_bus", "vif_model"}),
        (
            {"vmware_adaptertype": "ide", "hw_disk_bus": "virtio"},
            {"vmware_adaptertype": "ide"},
            {"hw_disk_bus"},
            {"disk_bus"},
        ),
    ],
)
def test_what_a_change_is_charged_with(before, after, touched, refused):
    verdict = introduced_violations(
        judge(make(), after), judge(make(), before), frozenset(touched)
    )
    assert {each.cause.kind for each in verdict.refusals} == refused


def test_a_policy_can_demand_that_the_image_says_it():
    rules = policy(
        guest_devices={
            "disk_bus": {"allow": ["virtio"], "explicit": True},
            "secure_boot": {"allow": ["required"], "explicit": True},
            "cdrom_bus": {"allow": ["sata"], "explicit": True},
        }
    )
    verdict = judge(rules, {})
    # There is no CD-ROM, so that nothing need be said of its bus.
    assert {each.cause.setting for each in verdict.refusals} == {
        "hw_disk_bus",
        "os_secure_boot",
    }
    assert all(each.missing for each in verdict.refusals)
    given = {"hw_disk_bus": "virtio", "os_secure_boot": "required"}
    assert judge(rules, given).outcome == "allow"


SIGNED = {
    "image_signature": {"allow": ["?*"], "explicit": True},
    "disk_bus": {"allow": ["virtio"]},
}


@pytest.mark.parametrize("operation", [MOVE, UNSHELVE])
def test_a_server_that_goes_on_needs_no_signature(operation):
    rules = policy(guest_devices=SIGNED, moves={"guest_devices": "enforce"})
    assert judge(rules, {}, operation=operation).outcome == "allow"
    verdict = judge(rules, {"hw_disk_bus": "ide"}, operation=operation)
    assert verdict.rules == ["guest_devices.disk_bus"]
    assert judge(rules, {}, operation=REBUILD).outcome == "refuse"


def test_no_rule_no_violation():
    subject = Subject(BOOT)
    verdict = evaluate(policy(), HardwareRequest(), subject, TODAY)
    assert verdict.outcome == "allow"


@pytest.mark.parametrize(
    ("mode", "outcomes"),
    [
        (Mode.ENFORCE, ["enforce", "warn"]),
        (Mode.WARN, ["warn", "warn"]),
        (Mode.AUDIT, ["audit", "audit"]),
    ],
)
def test_softened_is_nowhere_harder(mode, outcomes):
    verdict = judge(make(), {"hw_disk_bus": "ide", "hw_machine_type": "pc"})
    softer = soften(verdict, mode)
    assert sorted(str(each.mode) for each in softer.violations) == outcomes
    assert broken(softer) == broken(verdict)
    assert softer.policy == verdict.policy


@pytest.mark.parametrize(
    ("kind", "device"),
    [
        ("tpm_model", {"hw_tpm_version": "2.0"}),
        ("mem_encryption_model", {"hw_mem_encryption": "true"}),
        ("input_bus", {"hw_architecture": "aarch64"}),
        ("scsi_model", {"hw_disk_bus": "scsi"}),
        ("cdrom_bus", {"img_config_drive": "mandatory"}),
    ],
)
def test_what_a_guest_does_not_get_need_not_be_said(kind, device):
    rules = policy(guest_devices={kind: {"allow": ["*"], "explicit": True}})
    assert judge(rules, {}).violations == ()
    (violation,) = judge(rules, device).violations
    assert violation.rule == f"guest_devices.{kind}"
    assert violation.missing
