# SPDX-License-Identifier: Apache-2.0
"""Tests of the guard's verdicts by mode, earlier devices and host."""

import pytest

from nova_vhard.guard import wire
from nova_vhard.guard.memory import Choice, Memory
from nova_vhard.policy import document
from nova_vhard.policy.subject import ATTACH, MOVE, START
from tests.unit.guard import domains
from tests.unit.guard.domains import CARD, ENFORCE, PASSED, UUID, xml

AUDIT = "on_host: {mode: audit}\n"
WARN = "on_host: {mode: warn}\n"
MOVES = "moves: {guest_devices: enforce}\n"
ENFORCED = "guest_devices: {disk_bus: {allow: [scsi], mode: enforce}}\n"
PROJECT = f"projects: [{{mode: enforce, projects: ['{'9' * 32}']}}]\n"
RULE = "guest_devices: {disk_bus: {mode: warn}}\n"


@pytest.mark.parametrize(
    ("more", "operation", "before", "outcome"),
    [
        # A guest that nobody has seen.
        ("", START, None, "audit"),
        (AUDIT, START, None, "audit"),
        (WARN, START, None, "warn"),
        (ENFORCE, START, None, "refuse"),
        (ENFORCE + RULE, START, None, "warn"),
        # One that had the same, or something else.
        (ENFORCE, START, "sata", "warn"),
        (ENFORCE + MOVES, START, "sata", "refuse"),
        (AUDIT + MOVES, START, "sata", "audit"),
        (ENFORCE, START, "virtio", "refuse"),
        # One that comes by live migration had everything.
        (ENFORCE, MOVE, None, "warn"),
        (ENFORCE + MOVES, MOVE, None, "refuse"),
        (AUDIT + MOVES, MOVE, None, "audit"),
        # Hot plug.
        (ENFORCE, ATTACH, "virtio", "refuse"),
        (ENFORCE, ATTACH, None, "refuse"),
        ("enabled: false\n" + ENFORCE, START, None, "disabled"),
    ],
)
def test_a_refused_disk(
    judge, policy, events, more, operation, before, outcome
):
    holds = policy(more)
    if before is not None:
        judge.judge(policy(AUDIT), xml(before), START)
        holds = policy(more)
    result = judge.judge(holds, xml("sata"), operation)
    assert result.verdict.outcome == outcome
    assert result.refused == (outcome == "refuse")
    event = events()[-1]
    assert (event["gate"], event["operation"]) == ("guard", operation)
    assert event["outcome"] == outcome
    assert event["subject"]["server"] == UUID
    if outcome != "disabled":
        assert event["rules"] == ["guest_devices.disk_bus"]
    if outcome == "refuse":
        assert "=sata (allowed: virtio, scsi)" in result.text(200)


def test_what_is_refused_is_not_remembered(judge, policy, memory):
    holds = policy(ENFORCE)
    for _ in range(2):
        assert judge.judge(holds, xml("sata"), START).refused
    assert memory.choices(UUID) is None


def test_what_is_plugged_in_comes_to_what_a_guest_had(judge, policy):
    audit, holds = policy(AUDIT), policy(ENFORCE)
    judge.judge(audit, xml("sata"), START)
    judge.judge(audit, xml("virtio", CARD), ATTACH)
    assert judge.judge(holds, xml("sata", CARD), START).refused is False
    # What a start leaves out is gone.
    judge.judge(holds, xml(), START)
    assert judge.judge(holds, xml("sata"), START).refused


def iommu(model):
    return f"<iommu model='{model}'/>"


def cards(number):
    return "<interface type='hostdev'/>" * number


@pytest.mark.parametrize(
    ("before", "now", "outcome"),
    [
        # Nova's word "auto" is any of these; the guest had another one.
        (iommu("virtio"), iommu("intel"), "refuse"),
        (iommu("intel"), iommu("intel"), "warn"),
        # fewer devices of the host are nothing new, more are
        (cards(2), cards(1), "warn"),
        (cards(2), cards(2), "warn"),
        (cards(2), cards(3), "refuse"),
        (cards(2), "", "allow"),
        # nor is it another thing with what no rule is about
        (domains.STICK, domains.STICK, "warn"),
        (domains.STICK * 2, domains.STICK, "warn"),
        (domains.STICK, domains.STICK * 2, "refuse"),
    ],
)
def test_what_a_guest_had_is_that_device(judge, policy, before, now, outcome):
    more = "passthrough: {require: []}\n"
    judge.judge(policy(AUDIT + more), xml(devices=before), START)
    result = judge.judge(policy(ENFORCE + more), xml(devices=now), START)
    assert result.verdict.outcome == outcome


@pytest.mark.parametrize("operation", [START, ATTACH, MOVE])
def test_a_device_that_is_never_one_time_use(judge, policy, operation):
    """By its start, and after it: who had it before makes no difference."""
    allow = "passthrough: {allow: {ports: [vf]}, "
    guest = xml(devices=cards(1))
    judge.judge(policy(AUDIT + allow + "require: []}\n"), guest, START)
    holds = policy(ENFORCE + allow + "require: [one_time_use]}\n")
    result = judge.judge(holds, guest, operation)
    assert result.refused
    assert result.verdict.rules == ["passthrough.require"]


def test_what_an_earlier_version_has_kept_has_no_number(judge, policy, memory):
    memory.keep(UUID, {Choice("fault", "hostdev usb")})
    holds, guest = policy(ENFORCE), xml(devices=domains.STICK * 2)
    for number in (2, 1):
        now = xml(devices=domains.STICK * number)
        assert judge.judge(holds, now, START).verdict.outcome == "warn"
    assert judge.judge(holds, guest, START).refused


def test_a_rescue_does_not_lose_what_a_guest_had(judge, policy):
    holds = policy(ENFORCE)
    judge.judge(policy(AUDIT), xml("sata"), START)
    judge.judge(holds, xml("virtio", source="disk.rescue"), START)
    assert judge.judge(holds, xml("sata"), START).refused is False


def test_guests_that_are_there_before_the_guard(tmp_path, judge, policy):
    judge.memory = Memory(str(tmp_path / "fresh"))
    holds = policy(ENFORCE)
    assert judge.judge(holds, xml("sata"), START).verdict.outcome == "warn"
    judge.memory.adopt()
    other = domains.another()
    assert judge.judge(holds, xml("sata"), START).verdict.outcome == "warn"
    assert judge.judge(holds, xml("sata", server=other), START).refused


def test_a_guest_is_taken_in_even_if_it_is_refused(tmp_path, judge, policy):
    judge.memory = Memory(str(tmp_path / "fresh"))
    holds = policy(ENFORCE + MOVES)
    assert judge.judge(holds, xml("sata"), START).refused
    judge.memory.adopt()
    holds = policy(ENFORCE)
    assert judge.judge(holds, xml("sata"), START).verdict.outcome == "warn"


@pytest.mark.parametrize(
    ("passed", "hours", "operation", "refused"),
    [
        (("iommu",), 0, START, False),
        (("iommu",), 1.5, START, False),
        (("iommu",), 2.5, START, True),
        (("iommu",), -1, START, True),
        ((), 0, START, True),
        (None, 0, START, True),
        # A device never moves without proof.
        ((), 0, MOVE, True),
        (("iommu",), 0, MOVE, False),
    ],
)
def test_a_device_of_the_host(
    judge, policy, report, passed, hours, operation, refused
):
    if passed is not None:
        domains.report(report, *passed, hours=hours)
    everything = "passthrough: {allow: {aliases: ['*'], ports: [vf, pf, vdpa, "
    everything += "remote_managed], mdev: ['*'], device_profiles: ['*']}, "
    holds = policy(ENFORCE + everything + "require: [iommu]}\n")
    result = judge.judge(holds, xml(devices=PASSED), operation)
    assert result.refused == refused
    if refused:
        assert result.verdict.rules == ["passthrough.require"]
        assert "this host has not passed the checks iommu" in result.text(200)


@pytest.mark.parametrize(
    ("known", "moves", "outcome"),
    [
        (False, "", "refuse"),
        (True, "", "warn"),
        (True, "moves: {hosts: enforce}\n", "refuse"),
    ],
)
def test_what_every_guest_needs_of_its_host(
    judge, policy, known, moves, outcome
):
    if known:
        judge.judge(policy(AUDIT), xml(), START)
    holds = policy(ENFORCE + moves + "hosts: {require: [iommu]}\n")
    assert judge.judge(holds, xml(), START).verdict.outcome == outcome


def test_that_a_host_is_attested_is_not_its_own_to_say(judge, policy, report):
    attested = "hosts: {require: [attested], trust: attested}\n"
    result = judge.judge(policy(ENFORCE + attested), xml(), START)
    assert result.verdict.outcome == "allow"
    # what it can say of itself it has to say all the same
    both = "hosts: {require: [attested, iommu], trust: attested}\n"
    both += "moves: {hosts: enforce}\n"
    result = judge.judge(policy(ENFORCE + both), xml(), START)
    assert "this host has not passed the checks iommu;" in result.text(200)
    domains.report(report, "iommu")
    result = judge.judge(policy(ENFORCE + both), xml(), START)
    assert result.verdict.outcome == "allow"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "not XML"),
        (b"<domain", "not XML"),
        (b"\xff\xfe", "UTF-8"),
        (b"<domain/>", "uuid"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><domain>&a;</domain>", "document"),
        (b"<a>" * 300, "elements"),
        (b"<!--" + b" " * wire.LIMIT + b"-->", "larger"),
    ],
    ids=lambda value: str(value[:12]),
)
@pytest.mark.parametrize(
    ("more", "outcome"), [(ENFORCE, "refuse"), (AUDIT, "audit")]
)
def test_what_nobody_can_read(
    judge, policy, events, text, words, more, outcome
):
    result = judge.judge(policy(more), text, START)
    assert result.verdict.outcome == outcome
    assert result.domain is None
    assert events()[-1]["rules"] == ["guest_devices"]
    assert words in result.verdict.violations[0].cause.text
    if outcome == "refuse":
        assert "\n" not in result.text(200)


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        (ENFORCE, "audit"),
        (ENFORCE + ENFORCED, "refuse"),
        (ENFORCE + PROJECT, "refuse"),
        (AUDIT + ENFORCED, "audit"),
    ],
)
def test_what_nobody_can_read_may_break_any_rule_of_any_project(
    tmp_path, judge, more, outcome
):
    path = tmp_path / "policy.yaml"
    path.write_text('version: "1"\nmode: audit\n' + more)
    result = judge.judge(document.load(str(path)), b"<domain/>", START)
    assert result.verdict.outcome == outcome


def test_a_policy_that_is_switched_off_refuses_nothing(judge, policy):
    holds = policy("enabled: false\n" + ENFORCE)
    assert judge.judge(holds, b"no xml", START).refused is False


def test_an_exemption_for_a_server(judge, policy):
    exemptions = (
        "exemptions:\n"
        f"  - {{id: old, reason: older, servers: ['{UUID}'],\n"
        "     rules: {guest_devices.disk_bus: [sata]}, until: 2999-01-01}\n"
    )
    holds = policy(ENFORCE + exemptions)
    assert judge.judge(holds, xml("sata"), START).refused is False
    other = domains.another()
    assert judge.judge(holds, xml("sata", server=other), START).refused
    assert judge.judge(holds, xml("ide"), START).refused
