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
    if before is not None:
        judge.judge(policy(AUDIT), xml(before), START)
    result = judge.judge(policy(more), xml("sata"), operation)
    assert result.verdict.outcome == outcome
    assert result.refused == (outcome == "refuse")
    event = events()[-1]
    named = [event[name] for name in ("gate", "operation", "outcome")]
    assert named == ["guard", operation, outcome]
    assert event["subject"]["server"] == UUID
    if outcome != "disabled":
        assert event["rules"] == ["guest_devices.disk_bus"]
    if outcome == "refuse":
        assert "=sata (allowed: virtio, scsi)" in result.text(200)


def iommu(model):
    return f"<iommu model='{model}'/>"


def cards(number):
    return "<interface type='hostdev'/>" * number


def again(before, now, outcome):
    """Return the story of a guest that starts, and starts with others."""
    more = "passthrough: {require: []}\n"
    return [
        (AUDIT + more, xml(devices=before), START, None),
        (ENFORCE + more, xml(devices=now), START, outcome),
    ]


def one_time_use(operation):
    """Return the story of a device whose use is never one-time."""
    allow = "passthrough: {allow: {ports: [vf]}, "
    guest = xml(devices=cards(1))
    return [
        (AUDIT + allow + "require: []}\n", guest, START, None),
        (
            ENFORCE + allow + "require: [one_time_use]}\n",
            guest,
            operation,
            "refuse passthrough.require",
        ),
    ]


def exempts(server):
    return (
        f"{ENFORCE}exemptions:\n"
        f"  - {{id: old, reason: older, servers: ['{server}'],\n"
        "     rules: {guest_devices.disk_bus: [sata]}, until: 2999-01-01}\n"
    )


def attested(*checks):
    """Return a policy whose hosts have to pass checks, by an attestor."""
    required = f"[{', '.join(('attested', *checks))}]"
    return f"{ENFORCE}hosts: {{require: {required}, trust: attested}}\n"


SATA, IDE, OTHER = xml("sata"), xml("ide"), domains.another()
BUS = "guest_devices.disk_bus"
#: Of each judgement: policy, guest, operation, and the outcome with the rules;
#: None where only what the guest had before matters.
STORIES = {
    "what is refused is not remembered": [
        (ENFORCE, SATA, START, f"refuse {BUS}"),
        (ENFORCE, SATA, START, f"refuse {BUS}"),
    ],
    "what is plugged in is added, and what a start leaves out is gone": [
        (AUDIT, SATA, START, None),
        (AUDIT, xml("virtio", CARD), ATTACH, None),
        (
            ENFORCE,
            xml("sata", CARD),
            START,
            f"warn {BUS} guest_devices.vif_model",
        ),
        (ENFORCE, xml(), START, "allow"),
        (ENFORCE, SATA, START, f"refuse {BUS}"),
    ],
    "what is plugged in against the policy is not what it had": [
        (AUDIT, xml(), START, None),
        (ENFORCE, xml(devices=CARD), ATTACH, "refuse guest_devices.vif_model"),
        (ENFORCE, xml(devices=CARD), START, "refuse guest_devices.vif_model"),
    ],
    "a rescue does not lose what a guest had": [
        (AUDIT, SATA, START, None),
        (ENFORCE, xml("virtio", source="disk.rescue"), START, None),
        (ENFORCE, SATA, START, f"warn {BUS}"),
    ],
    # Nova's word "auto" is any of these; the guest had another one.
    "another iommu": again(iommu("virtio"), iommu("intel"), "refuse"),
    "the same iommu": again(iommu("intel"), iommu("intel"), "warn"),
    # Fewer devices of the host are nothing new, more are.
    "fewer cards": again(cards(2), cards(1), "warn"),
    "as many cards": again(cards(2), cards(2), "warn"),
    "more cards": again(cards(2), cards(3), "refuse"),
    "no card": again(cards(2), "", "allow"),
    # The same holds for devices that no rule is about.
    "as many sticks": again(domains.STICK, domains.STICK, "warn"),
    "fewer sticks": again(domains.STICK * 2, domains.STICK, "warn"),
    "more sticks": again(domains.STICK, domains.STICK * 2, "refuse"),
    "one-time use, start": one_time_use(START),
    "one-time use, attach": one_time_use(ATTACH),
    "one-time use, move": one_time_use(MOVE),
    "a policy that is switched off": [
        ("enabled: false\n" + ENFORCE, b"no xml", START, "disabled"),
    ],
    "an exemption for a server": [
        (exempts(UUID), SATA, START, "allow"),
        (exempts(UUID), xml("sata", server=OTHER), START, f"refuse {BUS}"),
        (exempts(UUID), IDE, START, f"refuse {BUS}"),
    ],
    "that a host is attested is not its own to say": [
        (attested(), xml(), START, "allow"),
        # It has to prove everything else.
        (
            attested("iommu") + "moves: {hosts: enforce}\n",
            xml(),
            START,
            "refuse hosts.require",
        ),
    ],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_what_a_guest_had_before(judge, policy, story):
    for more, guest, operation, expected in story:
        result = judge.judge(policy(more), guest, operation)
        outcome = " ".join((result.verdict.outcome, *result.verdict.rules))
        # A word alone leaves the rules open.
        assert expected is None or f"{outcome} ".startswith(f"{expected} ")
        assert result.refused == outcome.startswith("refuse")


def test_what_an_earlier_version_has_kept_has_no_number(judge, policy, memory):
    memory.keep(UUID, {Choice("fault", "hostdev usb")})
    for number, outcome in ((2, "warn"), (1, "warn"), (2, "refuse")):
        guest = xml(devices=domains.STICK * number)
        result = judge.judge(policy(ENFORCE), guest, START)
        assert result.verdict.outcome == outcome


@pytest.mark.parametrize(
    ("more", "outcome"), [(ENFORCE, "warn"), (ENFORCE + MOVES, "refuse")]
)
def test_guests_that_are_there_before_the_guard(
    tmp_path, judge, policy, more, outcome
):
    """They are taken in even if they are refused; later ones are not."""
    judge.memory = Memory(str(tmp_path / "fresh"))
    assert judge.judge(policy(more), SATA, START).verdict.outcome == outcome
    judge.memory.adopt()
    holds, new = policy(ENFORCE), xml("sata", server=OTHER)
    assert judge.judge(holds, SATA, START).verdict.outcome == "warn"
    assert judge.judge(holds, new, START).refused


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


NEEDS = ENFORCE + "hosts: {require: [iommu]}\n"
HARD = "moves: {hosts: enforce}\n"


@pytest.mark.parametrize(
    ("known", "more", "proven", "outcome"),
    [
        (False, NEEDS, False, "refuse"),
        (True, NEEDS, False, "warn"),
        (True, NEEDS + HARD, False, "refuse"),
        # An attested host proves the rest itself.
        (False, attested("iommu") + HARD, True, "allow"),
    ],
)
def test_what_every_guest_needs_of_its_host(
    judge, policy, report, known, more, proven, outcome
):
    if known:
        judge.judge(policy(AUDIT), xml(), START)
    if proven:
        domains.report(report, "iommu")
    result = judge.judge(policy(more), xml(), START)
    assert result.verdict.outcome == outcome


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
