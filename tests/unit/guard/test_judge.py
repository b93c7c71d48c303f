# SPDX-License-Identifier: Apache-2.0
"""The guard's verdicts: by mode, earlier devices, host, and hot plug."""

import contextlib
import datetime
import json
import os
import re
from unittest import mock

import pytest

from nova_vhard.guard import memory as memories
from nova_vhard.guard import posture, wire
from nova_vhard.guard.hot_plug import TRIES, HotPlug
from nova_vhard.guard.memory import FORGOTTEN, Choice, Memory
from nova_vhard.guard.metrics import DETACHED, KEPT, Metrics
from nova_vhard.host.check import Result, Status
from nova_vhard.host.report import HostReport
from nova_vhard.policy import document
from nova_vhard.policy.subject import ATTACH, MOVE, START
from tests.faults import no_files
from tests.trees import build
from tests.unit import domain_texts
from tests.unit.guard import domains
from tests.unit.guard.domains import (
    CARD,
    ENFORCE,
    PASSED,
    STICK,
    UUID,
    FakeConnection,
    xml,
)

BUS = "guest_devices.disk_bus"
SATA, IDE, STRANGER = xml("sata"), xml("ide"), domains.another()
AUDIT = "on_host: {mode: audit}\n"
WARN = "on_host: {mode: warn}\n"
MOVES = "moves: {guest_devices: enforce}\n"
ENFORCED = "guest_devices: {disk_bus: {allow: [scsi], mode: enforce}}\n"
PROJECT = f"projects: [{{mode: enforce, projects: ['{'9' * 32}']}}]\n"
RULE = "guest_devices: {disk_bus: {mode: warn}}\n"


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


def disk(more, operation, before, expected):
    """Return the story of a guest with a disk that is refused."""
    earlier = [(AUDIT, xml(before), START, None)] if before else []
    return [*earlier, (more, SATA, operation, expected)]


def device(passed, hours, operation, expected):
    """Return the story of a device, on a host that has passed checks.

    :param hours: age of the report
    """
    more = (
        f"{ENFORCE}passthrough: {{require: [iommu], allow: {{aliases: ['*'], "
        "ports: [vf, pf, vdpa, remote_managed], mdev: ['*'], "
        "device_profiles: ['*']}}\n"
    )
    reports = [] if passed is None else [{"passed": passed, "hours": hours}]
    return [*reports, (more, xml(devices=PASSED), operation, expected)]


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


NEEDS = ENFORCE + "hosts: {require: [iommu]}\n"
HARD = "moves: {hosts: enforce}\n"
UNPROVEN = "refuse passthrough.require"
#: First rule of a refusal to a part of its text.
SAID = {
    BUS: "(allowed: virtio, scsi)",
    "hosts.require": "this host has not passed the checks iommu",
}
#: Of each judgement: policy, guest, operation, and the outcome with the rules;
#: None if the step only records devices. Or a report of the host.
STORIES = {
    # A guest that the guard has not seen before.
    "a disk by the default": disk("", START, None, f"audit {BUS}"),
    "a disk, audit": disk(AUDIT, START, None, f"audit {BUS}"),
    "a disk, warn": disk(WARN, START, None, f"warn {BUS}"),
    "a disk, enforce": disk(ENFORCE, START, None, f"refuse {BUS}"),
    "a disk, a rule": disk(ENFORCE + RULE, START, None, f"warn {BUS}"),
    # A guest that had the same disk, or another one.
    "had the disk": disk(ENFORCE, START, "sata", f"warn {BUS}"),
    "had the disk, moves": disk(
        ENFORCE + MOVES, START, "sata", f"refuse {BUS}"
    ),
    "had the disk, audit": disk(AUDIT + MOVES, START, "sata", f"audit {BUS}"),
    "had another disk": disk(ENFORCE, START, "virtio", f"refuse {BUS}"),
    # A guest that arrives by live migration had all its devices before.
    "comes with the disk": disk(ENFORCE, MOVE, None, f"warn {BUS}"),
    "comes, moves": disk(ENFORCE + MOVES, MOVE, None, f"refuse {BUS}"),
    "comes, audit": disk(AUDIT + MOVES, MOVE, None, f"audit {BUS}"),
    # Hot plug.
    "plugs in the disk": disk(ENFORCE, ATTACH, "virtio", f"refuse {BUS}"),
    "plugs in, unseen": disk(ENFORCE, ATTACH, None, f"refuse {BUS}"),
    "a disk, disabled": disk(
        "enabled: false\n" + ENFORCE, START, None, "disabled"
    ),
    # Host devices require a report of the host, which expires.
    "a device, proven": device(("iommu",), 0, START, "allow"),
    "a device, old proof": device(("iommu",), 1.5, START, "allow"),
    "a device, too old": device(("iommu",), 2.5, START, UNPROVEN),
    "a device, future proof": device(("iommu",), -1, START, UNPROVEN),
    "a device, other proof": device((), 0, START, UNPROVEN),
    "a device, no report": device(None, 0, START, UNPROVEN),
    "a device moves": device((), 0, MOVE, UNPROVEN),
    "a device moves, proven": device(("iommu",), 0, MOVE, "allow"),
    # Checks that every guest requires.
    "a host, new guest": [(NEEDS, xml(), START, "refuse hosts.require")],
    "a host, known guest": [
        (AUDIT, xml(), START, None),
        (NEEDS, xml(), START, "warn hosts.require"),
    ],
    "a host, moves": [
        (AUDIT, xml(), START, None),
        (NEEDS + HARD, xml(), START, "refuse hosts.require"),
    ],
    # A host that is attested proves the other checks itself.
    "a host, attested": [
        {"passed": ("iommu",), "hours": 0},
        (attested("iommu") + HARD, xml(), START, "allow"),
    ],
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
        (exempts(UUID), xml("sata", server=STRANGER), START, f"refuse {BUS}"),
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
def test_a_story(judge, policy, events, report, story):
    for step in story:
        if isinstance(step, dict):
            domains.report(report, *step["passed"], hours=step["hours"])
            continue
        more, guest, operation, expected = step
        result = judge.judge(policy(more), guest, operation)
        verdict = result.verdict
        outcome = " ".join((verdict.outcome, *verdict.rules))
        # A word alone leaves the rules open.
        assert expected is None or f"{outcome} ".startswith(f"{expected} ")
        assert result.refused == outcome.startswith("refuse")
        names = ("gate", "operation", "outcome", "rules")
        found = [[event[name] for name in names] for event in events()[-1:]]
        written = ["guard", operation, verdict.outcome, verdict.rules]
        assert not result.written or found == [written]
        for rule, words in SAID.items():
            if outcome.startswith(f"refuse {rule}"):
                assert words in result.text(200)


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
    holds, new = policy(ENFORCE), xml("sata", server=STRANGER)
    assert judge.judge(holds, SATA, START).verdict.outcome == "warn"
    assert judge.judge(holds, new, START).refused


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


# Checks that a host has passed, from the file that its reporter writes.


NOW = datetime.datetime.now(datetime.UTC)


def passed(path, text, hours=2):
    path.write_text(text)
    return posture.passed(str(path), hours, NOW)


def test_it_is_what_the_reporter_writes(report):
    """The file has the format that the publisher json writes."""
    names = ("iommu", "kernel_aslr", "mac_guests", "selinux_booleans")
    results = tuple(
        Result(check, status, "why")
        for check, status in zip(names, Status, strict=True)
    )
    passing = {each.check for each in results if each.status is Status.PASS}
    assert passed(report, HostReport(NOW, results).as_json()) == passing
    assert len(passing) == 1


@pytest.mark.parametrize(
    ("hours", "counts"),
    [(0, True), (2, True), (2.01, False), (-0.05, True), (-0.2, False)],
)
def test_its_age(report, hours, counts):
    time = NOW - datetime.timedelta(hours=hours)
    text = json.dumps({"time": time.isoformat(), "results": []})
    old = pytest.raises(posture.NotProven, match="not of the last")
    with contextlib.nullcontext() if counts else old:
        assert passed(report, text) == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"time": "2026-01-01T00:00:00", "results": []}',
        '{"time": 5, "results": []}',
        '{"time": "x", "results": []}',
        '{"time": "%s", "results": 5}',
        '{"time": "%s", "results": [{}]}',
        '{"time": "%s", "results": [[]]}',
        "[" * 100_000,
    ],
    ids=range(10),
)
def test_a_damaged_report_proves_nothing(report, text):
    damaged = r"report\.json is not a report"
    with pytest.raises(posture.NotProven, match=damaged):
        passed(report, text.replace("%s", NOW.isoformat()), 24)


@pytest.mark.parametrize(
    ("name", "text"), [("none", "cannot be read"), ("", "directory")]
)
def test_no_report_proves_nothing(tmp_path, name, text):
    with pytest.raises(posture.NotProven, match=text):
        posture.passed(str(tmp_path / name), 24, NOW)


# Earlier choices of guests: stored, unreadable, damaged, full, forgotten.


A = Choice("disk_bus", "ide")
B = Choice("vif_model", None)
C = Choice("aliases", "gpu", "2")


@pytest.fixture
def clock():
    """Return a clock that shows the time ``now``."""
    result = mock.Mock(now=1_000_000.0)
    result.side_effect = lambda: result.now
    return result


def test_what_is_saved_is_what_was_kept(tmp_path):
    first = Memory(str(tmp_path))
    assert (len(first), first.adopted) == (0, False)
    first.keep("one", {A, B, C})
    first.keep("two", {A})
    first.keep("two", {B}, more=True)
    first.adopt()
    first.save()
    (path,) = tmp_path.iterdir()
    assert os.stat(path).st_mode & 0o777 == 0o600
    again = Memory(str(tmp_path))
    known = [again.choices(name) for name in ("one", "two", "three")]
    assert (again.adopted, known) == (True, [{A, B, C}, {A, B}, None])
    # The file is written only if something changed.
    path.unlink()
    again.save()
    assert not path.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 2, "adopted": true, "guests": {}}',
        '{"version": 1, "adopted": true}',
        '{"version": 1, "adopted": true, "guests": {"a": {"seen": 1}}}',
        '{"version": 1, "adopted": true, "guests": {"a": '
        '{"seen": 1, "choices": [["a"]]}}}',
        "[" * 100_000,
        "\udcff",
    ],
    ids=range(9),
)
def test_a_damaged_file_is_as_none_with_an_alert(tmp_path, caplog, text):
    path = tmp_path / memories.FILE
    path.write_bytes(text.encode(errors="surrogateescape"))
    result = Memory(str(tmp_path))
    assert (len(result), result.adopted) == (0, False)
    # The damaged file is renamed, and a new one is written.
    result.save()
    assert path.with_name(f"{path.name}.damaged").exists()
    assert json.loads(path.read_text())["guests"] == {}
    assert not Memory(str(tmp_path)).adopted
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "The record of previous guests is lost" in record.message


@pytest.fixture
def unread(tmp_path):
    """Return a memory that has not been read, and the file."""
    first = Memory(str(tmp_path))
    for name in ("was here", "whole", "part"):
        first.keep(name, {A})
    first.adopt()
    first.save()
    with no_files():
        return Memory(str(tmp_path)), tmp_path / memories.FILE


def test_an_unreadable_file_knows_no_guest_and_adopts_none(unread, caplog):
    memory, path = unread
    before = path.read_bytes()
    with no_files():
        memory.keep("came", {B})
        memory.save()
        known = memory.choices("was here"), memory.choices("came")
        assert (memory.adopted, *known) == (True, None, {B})
        assert "Too many open files" in memory.trouble
    assert path.read_bytes() == before
    said = [each.levelname for each in caplog.get_records("setup")]
    assert (said, caplog.records) == (["ERROR"], [])


@pytest.mark.parametrize(
    ("text", "adopted", "known"),
    [
        # It can be read again, and no guest is forgotten.
        ("as it was", True, [{A}, {A, B}]),
        # The file existed, so this is not the first run of the daemon.
        (None, True, [None, {B}]),
        # The result is that of a daemon that starts with such a file.
        ("{", False, [None, {B}]),
        (
            '{"version": 1, "adopted": false, "guests": {}}',
            False,
            [None, {B}],
        ),
    ],
    ids=["whole", "gone", "damaged", "not all taken in"],
)
def test_what_comes_after_an_unreadable_file(
    unread, caplog, text, adopted, known
):
    memory, path = unread
    if text != "as it was":
        path.unlink()
        build(path.parent, {f"/{path.name}": text} if text else {})
    memory.keep("came", {B})
    memory.keep("whole", {B})
    memory.keep("part", {B}, more=True)
    memory.save()
    assert not memory.trouble
    for result in (memory, Memory(str(path.parent))):
        names = ("came", "whole", "was here", "part")
        found = [result.choices(name) for name in names]
        assert (result.adopted, found) == (adopted, [{B}, {B}, *known])
    lost = "The record of previous guests is lost" in caplog.text
    assert lost == (text == "{")


def test_a_disk_that_cannot_be_written(tmp_path, caplog):
    place = tmp_path / "state"
    result = Memory(str(place / "below"))
    place.write_text("no folder")
    result.keep("one", {A})
    for _ in range(2):
        result.save()
        assert result.trouble
    assert caplog.text.count("remembered until a restart") == 1
    place.unlink()
    result.save()
    assert not result.trouble
    assert Memory(str(place / "below")).choices("one") == {A}


def test_who_is_gone_for_long_is_forgotten(tmp_path, clock):
    result = Memory(str(tmp_path), clock)
    for name in ("stays", "goes"):
        result.keep(name, {A})
    for seconds, there, forgotten in (
        # The guest is missing for a moment, as during a hard reboot.
        (0, [], []),
        (FORGOTTEN - 1, ["stays"], []),
        (1, ["stays"], ["goes"]),
        # No guest is forgotten if the clock is set back, and no running guest
        # if it is set ahead.
        (-10 * FORGOTTEN, [], []),
        (50 * FORGOTTEN, ["stays"], []),
    ):
        clock.now += seconds
        assert result.forget_absent(there) == forgotten
    result.save()
    assert Memory(str(tmp_path), clock).choices("goes") is None


def test_a_host_that_was_off_for_long_forgets_nobody(tmp_path, clock):
    """Nova defines each domain again when it restarts the guests."""
    result = Memory(str(tmp_path), clock)
    result.keep("one", {A})
    result.save()
    clock.now += 3 * FORGOTTEN
    again = Memory(str(tmp_path), clock)
    assert again.forget_absent([]) == []
    assert again.choices("one") == {A}
    clock.now += FORGOTTEN
    assert again.forget_absent([]) == ["one"]


def test_a_memory_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(memories, "MOST_GUESTS", 3)
    monkeypatch.setattr(memories, "MOST_CHOICES", 2)
    result = Memory(str(tmp_path))
    for name in "abcd":
        result.keep(name, {A, B, C})
        result.keep("a", {A, B, C})
    kept = [len(result.choices(name) or ()) for name in "abcd"]
    assert (len(result), kept) == (3, [2, 0, 2, 2])


# Hot-plugged devices: judged, detached, or kept.


DETACH = "on_host: {mode: enforce, hot_plug: detach}\n"


@pytest.fixture
def hot_plug(judge):
    return HotPlug(judge, Metrics())


@pytest.fixture
def change(judge, hot_plug):
    """Return a function that reports a change of a guest's devices.

    The function waits for the threads that detach devices. It returns whether
    the change is refused, and the number of threads.
    """

    def changed(holds, before, after, connection):
        judgement = judge.judge(holds, after, ATTACH)
        threads = hot_plug.changed(connection, holds, before, after, judgement)
        for thread in threads:
            thread.join()
        return judgement.refused, len(threads)

    return changed


def counts(hot_plug):
    return [hot_plug._metrics._hot_plugs[name] for name in (DETACHED, KEPT)]


@pytest.mark.parametrize(
    ("more", "gives", "asked", "said"),
    [
        (DETACH, 1, 1, [1, 0]),
        (DETACH, TRIES, TRIES, [1, 0]),
        (DETACH, None, TRIES, [0, 1]),
        (ENFORCE, 1, 0, [0, 0]),
        ("on_host: {hot_plug: detach}\n", 1, 0, [0, 0]),
    ],
)
def test_a_card(
    change, judge, hot_plug, policy, events, caplog, more, gives, asked, said
):
    """The guest releases the card or keeps it."""
    holds = policy(more)
    judge.judge(holds, xml(), START)
    connection = FakeConnection({UUID: xml(devices=CARD)})
    connection.gives = gives
    change(holds, xml(), xml(devices=CARD), connection)
    assert ["e1000e" in x for x in connection.asked] == [True] * asked
    assert counts(hot_plug) == said
    assert (f"Guest {UUID} keeps net1" in caplog.text) == bool(said[1])
    assert events("operation") == ["start", "attach"]


GOOD = CARD.replace("e1000e", "virtio")
OTHER = GOOD.replace("net1", "net2")
SOCKET = "<backingStore type='vhostuser'/>"
AGAIN = b"<domain type='kvm' id='9'"


@pytest.mark.parametrize(
    ("before", "after", "asked"),
    [
        # A good card is plugged into a guest that already breaks a rule.
        (xml(devices=CARD), xml(devices=CARD + OTHER), []),
        # A disk moves to another bus. The card is not new.
        (xml(devices=CARD), xml("sata", CARD, inside="<mirror/>"), ["disk0"]),
        # A disk that already breaks the rule changes in another way.
        (xml("sata"), xml("sata", inside="<mirror/>"), []),
        # The change itself breaks the rule: block copy, media, snapshot.
        (xml(), xml(inside=SOCKET), ["disk0"]),
        (xml(inside=SOCKET), xml(inside=SOCKET + "<mirror/>"), []),
        (xml("sata"), xml("sata", inside=SOCKET), ["disk0"]),
        (xml(), xml(source="../x"), ["disk0"]),
        # Two devices at once.
        (xml(), xml("sata", CARD), ["disk0", "net1"]),
        # The devices that a guest has had since its last start.
        (xml(), xml(devices=CARD).replace(b"<domain type='kvm'", AGAIN), []),
        (xml(), b"<domain", []),
        (xml(), xml(devices="<smartcard/>"), []),
    ],
)
def test_what_a_guest_is_asked_for(
    change, judge, policy, before, after, asked
):
    judge.memory.keep(UUID, ())
    connection = FakeConnection({UUID: after})
    change(policy(DETACH), before, after, connection)
    text = "\n".join(connection.asked)
    assert sorted(set(re.findall(r"alias name=.(\w+)", text))) == asked


VF = "<interface type='hostdev'><alias name='{}'/></interface>".format
PC = b"pc-i440fx-10.0"
NEEDS_NONE = "passthrough: {require: []}\n"


NEEDS_SMT = domain_texts.instance(domain_texts.spec("vhard:require", "smt"))


@pytest.mark.parametrize(
    ("more", "before", "after"),
    [
        # The host has not passed a check that every guest requires.
        (
            "hosts: {require: [iommu]}\nmoves: {hosts: enforce}\n",
            xml(),
            xml(devices=GOOD),
        ),
        # The guest's flavor requires a check.
        (
            "",
            domain_texts.text("", meta=NEEDS_SMT),
            domain_texts.text(GOOD, meta=NEEDS_SMT),
        ),
        # The guest's machine type is refused even for moves.
        (
            "moves: {guest_devices: enforce}\n"
            "guest_devices: {machine_type: {mode: enforce}}\n",
            xml().replace(b"pc-q35-10.0", PC),
            xml(devices=GOOD).replace(b"pc-q35-10.0", PC),
        ),
    ],
    ids=["host", "flavor", "machine"],
)
def test_no_device_is_to_blame_for_the_rest(
    change, judge, policy, more, before, after
):
    holds = policy(DETACH + more)
    for uuid in (UUID, domain_texts.UUID):
        judge.memory.keep(uuid, ())
    assert change(holds, before, after, FakeConnection()) == (True, 0)


@pytest.mark.parametrize(
    ("allowed", "specs", "first", "second", "alias"),
    [
        # one of two devices; the guest may keep the first
        (NEEDS_NONE, "", VF("vf0"), VF("vf1"), "vf1"),
        # a device in addition to the one that the flavor requests
        (
            "passthrough: {allow: {aliases: [gpu]}, require: []}\n",
            domain_texts.spec("pci_passthrough:alias", "gpu:1"),
            PASSED,
            PASSED.replace("hostdev0", "hostdev1"),
            "hostdev1",
        ),
        # a device without a rule
        ("", "", STICK.replace("hostdev1", "hostdev0"), STICK, "hostdev1"),
        # a device that needs a check that the host has not passed
        (
            "passthrough: {allow: {aliases: ['*'], ports: [vf]}, "
            "require: [iommu]}\n",
            "",
            "",
            PASSED,
            "hostdev0",
        ),
    ],
)
def test_one_device_too_many(
    change, judge, policy, allowed, specs, first, second, alias
):
    meta = domain_texts.instance(specs)
    before = domain_texts.text(first, meta=meta)
    judge.judge(policy("on_host: {mode: audit}\n"), before, START)
    after = domain_texts.text(first + second, meta=meta)
    connection = FakeConnection({domain_texts.UUID: after})
    change(policy(DETACH + allowed), before, after, connection)
    assert [alias in each for each in connection.asked] == [True] * TRIES


def test_a_guest_that_ends_meanwhile(change, policy, hot_plug, caplog):
    connection = FakeConnection({UUID: xml(devices=CARD)})
    connection.detach = lambda uuid, device: connection.running.clear()
    change(policy(DETACH), xml(), xml(devices=CARD), connection)
    assert (counts(hot_plug), "keeps" in caplog.text) == ([0, 0], False)


def test_more_devices_than_can_be_waited_for(change, policy, hot_plug, caplog):
    while hot_plug._slots.acquire(blocking=False):
        pass
    change(policy(DETACH), xml(), xml(devices=CARD), FakeConnection())
    assert counts(hot_plug) == [0, 1]
    assert f"Guest {UUID} keeps net1" in caplog.text
