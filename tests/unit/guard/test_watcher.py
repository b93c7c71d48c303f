# SPDX-License-Identifier: Apache-2.0
"""The guard beside libvirt: taken in, judged again, forgotten, proven."""

import itertools
import json
from types import SimpleNamespace
from unittest import mock

import pytest

from nova_vhard.guard import probe, watcher
from nova_vhard.guard.libvirtd import LibvirtError
from nova_vhard.guard.memory import FORGOTTEN, Memory
from nova_vhard.guard.metrics import Metrics
from nova_vhard.guard.watcher import Watcher
from nova_vhard.policy import document
from nova_vhard.policy.subject import START
from nova_vhard.policy.watch import PolicyUnavailable
from tests.faults import no_files
from tests.unit.guard import domains
from tests.unit.guard.domains import (
    CARD,
    ENFORCE,
    UUID,
    FakeConnection,
    until,
    xml,
)

OTHER = domains.another()
LAST = "ffffffff" + OTHER[8:]


@pytest.fixture
def holds(policy):
    return policy(ENFORCE)


@pytest.fixture
def options(tmp_path):
    (tmp_path / "run").mkdir()
    return SimpleNamespace(
        libvirt_uri="qemu:///system",
        run_dir=str(tmp_path / "run"),
        interval=3600,
        probe_interval=60,
    )


@pytest.fixture
def fresh(tmp_path, judge):
    """Return the memory of a host whose guests have not been taken in."""
    judge.memory = Memory(str(tmp_path / "fresh"))
    return judge.memory


@pytest.fixture
def make(options, judge, holds):
    def made(policy=lambda: holds):
        return Watcher(options, policy, judge, Metrics())

    return made


@pytest.fixture
def watch(make, monkeypatch):
    """Return what starts a watcher with connections, one after the other.

    It pauses between rounds for a moment only, and has ended with the test.
    """
    started, none = [], itertools.repeat(LibvirtError("no more"))
    for name in ("_RETRY", "_PAUSE"):
        monkeypatch.setattr(watcher, name, 0.01)

    def watching(*connections, pause=0.01, **more):
        monkeypatch.setattr(watcher, "_ROUND", pause)
        result, each = make(**more), itertools.chain(connections, none)
        result._connect = mock.Mock(side_effect=each)
        result.start()
        started.append(result)
        return result

    yield watching
    for each in started:
        each.stop()


def test_all_guests_are_taken_in_once(fresh, make, events, caplog):
    connection = FakeConnection(
        {UUID: xml("sata")}, {OTHER: xml("ide", server=OTHER)}
    )
    make().look_at_all(connection)
    assert (fresh.adopted, len(fresh)) == (True, 2)
    assert events("outcome") == ["warn", "warn"]
    assert "2 guests count as started before" in caplog.text
    # From now on who is unknown is new.
    connection.running[LAST] = xml("sata", server=LAST)
    make().look_at_all(connection)
    assert (len(fresh), events("outcome")[2:]) == (2, ["refuse"])
    assert connection.asked == []


SECOND = CARD.replace("net1", "net2")
BALLOON = "<memballoon model='none'/>"


@pytest.mark.parametrize(
    ("changes", "outcomes"),
    [
        # A second one of the same, a balloon, and what goes say nothing new.
        ([xml()], []),
        ([xml(devices=BALLOON)], []),
        ([xml(devices=CARD)], ["refuse"]),
        ([xml(devices=CARD), xml(devices=CARD + SECOND)], ["refuse"]),
        ([xml(devices=CARD), xml(), xml(devices=CARD)], ["refuse"] * 2),
        ([xml(devices=domains.STICK), xml()], ["refuse"]),
        ([xml("scsi")], ["allow"]),
        ([b"<domain>"], ["refuse"]),
    ],
)
def test_an_event_of_a_guest_that_runs_says_something_new(
    make, judge, holds, events, changes, outcomes
):
    judge.judge(holds, xml(), START)
    connection, result = FakeConnection({UUID: xml()}), make()
    for change in [xml(), *changes]:
        connection.running[UUID] = change
        for _ in range(2):
            result.look_at_all(connection)
    assert events("outcome") == ["allow", *outcomes]
    assert result._metrics._decisions.total() == len(outcomes)


def test_a_guest_that_has_not_changed_is_not_judged(make, judge, monkeypatch):
    connection = FakeConnection({UUID: xml(), OTHER: b"<domain>"})
    result = make()
    result.look_at_all(connection)
    monkeypatch.setattr(judge, "judge", lambda *arguments: 1 // 0)
    result.look_at_all(connection)
    # What is gone is forgotten.
    connection.running.clear()
    result.look_at_all(connection)
    assert judge.before(UUID) is judge.before(OTHER) is None


@pytest.fixture
def two():
    """Return the connection of a host with two guests."""
    return FakeConnection(
        {OTHER: xml("ide", server=OTHER), LAST: xml("sata", server=LAST)}
    )


def look(watcher, connection, times):
    for _ in range(times):
        watcher.look_at_all(connection)


@pytest.mark.parametrize("gone", [False, True])
def test_a_guest_that_cannot_be_read_keeps_no_other_from_being_judged(
    fresh, make, events, caplog, two, gone
):
    """It is waited for until it is gone."""
    two.sick.add(OTHER)
    result = make()
    look(result, two, 4)
    assert {subject["server"] for subject in events("subject")} == {LAST}
    assert caplog.text.count(f"Guest {OTHER} is not judged yet") == 1
    # It may have been there before: nobody is new until it is known.
    assert not fresh.adopted
    if gone:
        del two.running[OTHER]
    two.sick.clear()
    look(result, two, 1)
    before = len(events())
    look(result, two, 1)
    assert (fresh.adopted, len(events())) == (True, before)
    assert bool(fresh.choices(OTHER)) is not gone


def test_a_guest_that_makes_the_judge_fail_keeps_no_other_from_being_judged(
    fresh, judge, make, events, caplog, monkeypatch, two
):
    two.running[OTHER] = xml(server=OTHER)
    read, result = judge.read, make()

    def fail(text, operation):
        assert OTHER.encode() not in text
        return read(text, operation)

    with monkeypatch.context() as patch:
        patch.setattr(judge, "read", fail)
        look(result, two, 3)
    assert {subject["server"] for subject in events("subject")} == {LAST}
    # Nobody could tell of a guard that waits for it from one that is off.
    assert fresh.adopted and fresh.choices(LAST)
    failed = [record.msg for record in caplog.records if record.exc_info]
    assert failed == [f"Guest {OTHER} could not be judged"]
    look(result, two, 1)
    assert fresh.choices(OTHER)
    assert f"Guest {OTHER} can be judged" in caplog.messages


def test_an_event_reads_only_its_own_guest_at_once(watch, events):
    connection = FakeConnection({UUID: xml(), OTHER: xml(server=OTHER)})
    result = watch(LibvirtError("not yet"), connection, pause=3600)
    until(lambda: result._proven_mode)
    assert sorted(connection.read) == sorted([UUID, OTHER])
    connection.read.clear()
    connection.running[UUID] = xml(devices=CARD)
    for number in range(1, 4):
        connection.changed(UUID)
        connection.changed(domains.another())
        until(lambda number=number: len(connection.read) >= number)
    # Events that come at once are one, and no lifeless guest is read.
    until(lambda: "refuse" in events("outcome"))
    assert connection.read == [UUID] * 3
    # The daemon was restarted: it is watched again.
    connection.alive = False
    connection.changed(UUID)
    until(lambda: result._connect.call_count > 2)
    result.stop()
    assert (connection.closed, result._metrics.connected) == (True, False)


def test_many_events_of_one_guest_keep_no_other_from_being_read(watch):
    connection = FakeConnection({UUID: xml(), OTHER: xml(server=OTHER)})
    watch(connection)
    until(lambda: connection.changed)

    def is_read():
        connection.changed(UUID)
        return connection.read.count(OTHER) > 2

    until(is_read)


def test_all_are_taken_in_after_an_unreadable_memory_is_damaged(
    tmp_path, judge, make, events
):
    """Those too that were judged and refused as new ones in between."""
    (tmp_path / "guests.json").write_text("{")
    connection, result = FakeConnection({UUID: xml("sata")}), make()
    with no_files():
        judge.memory = memory = Memory(str(tmp_path))
        result.look_at_all(connection)
        memory.save()
    assert memory.choices(UUID) is None
    memory.save()
    assert not memory.adopted
    result.look_at_all(connection)
    assert memory.adopted and memory.choices(UUID)
    assert events("outcome") == ["refuse"]


def test_nobody_is_taken_in_without_an_answer(fresh, make):
    connection = FakeConnection({UUID: xml()})
    connection.alive = False
    with pytest.raises(LibvirtError):
        make().look_at_all(connection)
    assert not fresh.adopted
    assert make()._mode() == "disabled"


def test_nobody_is_judged_without_a_policy(judge, make, caplog):
    none = mock.Mock(side_effect=PolicyUnavailable("no file"))
    connection, result = FakeConnection({UUID: xml("sata")}), make(none)
    for _ in range(2):
        result.look_at_all(connection)
    assert (len(judge.memory), caplog.text.count("no file")) == (0, 1)


@pytest.mark.parametrize(
    ("says", "guarded"),
    [
        (f"Hook failed: {probe.answer('{name}')}", True),
        (probe.answer("nova-vhard-probe-other"), False),
        ("Cannot access storage file '/x/{name}'", False),
        ("nova-vhard-guard does not answer: {name}", False),
        (None, False),
    ],
)
def test_a_proof(options, tmp_path, make, says, guarded):
    connection = FakeConnection()
    connection.says = lambda name: says and says.format(name=name)
    assert make().prove(connection).guarded == guarded
    result = json.loads((tmp_path / "run" / "guard.json").read_text())
    left = result["guarded"], result["mode"], result["valid"]
    assert left == (guarded, "enforce", 180)


def test_a_proof_that_cannot_be_left_is_an_alert(options, make, caplog):
    options.run_dir = "/nonexistent"
    make().prove(FakeConnection())
    assert "guard_in_force finds no probe" in caplog.text


@pytest.mark.parametrize(
    ("more", "mode"),
    [
        (ENFORCE, "enforce"),
        (f"mode: warn\n{ENFORCE}", "warn"),
        (
            "mode: audit\nguest_devices: {disk_bus: {mode: audit}}\n"
            + ENFORCE,
            "warn",
        ),
        (f"mode: audit\npassthrough: {{mode: enforce}}\n{ENFORCE}", "enforce"),
        (f"mode: audit\nhosts: {{mode: enforce}}\n{ENFORCE}", "warn"),
        (
            "mode: audit\nprojects: [{mode: enforce, projects: [p1]}]\n"
            + ENFORCE,
            "enforce",
        ),
        ("on_host: {mode: audit}\n", "audit"),
        (f"enabled: false\n{ENFORCE}", "disabled"),
    ],
)
def test_the_mode_is_no_harder_than_any_rule(make, tmp_path, more, mode):
    """In baseline the rule on the machine type has mode warn of its own."""
    path = tmp_path / "policy.yaml"
    path.write_text(f"version: '1'\nextends: baseline\n{more}")
    holds = document.load(str(path))
    assert make(lambda: holds)._mode() == mode


@pytest.mark.parametrize("seen", ["at its start", "by a connection"])
def test_a_device_is_taken_away_that_was_not_there_before(
    watch, judge, policy, seen
):
    """It is plugged in before the first round, or between connections."""
    holds = policy("on_host: {mode: enforce, hot_plug: detach}\n")
    lost = FakeConnection({UUID: xml()})
    new = FakeConnection({UUID: xml(devices=CARD)})
    new.gives = 1
    if seen == "at its start":
        judge.judge(holds, xml(), START)
        lost.alive = False
    result = watch(lost, new, policy=lambda: holds)
    until(lambda: result._proven_mode)
    lost.alive = False
    until(lambda: new.asked)
    new.alive = False
    until(lambda: new.closed)
    assert len(new.asked) == 1


def test_a_policy_that_comes_late(tmp_path, fresh, watch, judge, policy):
    """Guests are taken in then, and the proof has the mode of the day."""
    off, holds = policy("enabled: false\n" + ENFORCE), policy(ENFORCE)
    current = mock.Mock(side_effect=PolicyUnavailable("no file"))
    watch(FakeConnection({UUID: xml()}), policy=current)
    path = tmp_path / "run" / "guard.json"

    def proven():
        return path.exists() and json.loads(path.read_text())["mode"]

    until(lambda: proven() == "disabled")
    assert not fresh.adopted
    for now, mode in ((holds, "enforce"), (off, "disabled")):
        current.return_value, current.side_effect = now, None
        until(lambda mode=mode: proven() == mode)
        assert fresh.adopted
    assert judge.judge(holds, xml("sata", server=OTHER), START).refused


def test_guests_that_are_gone_are_forgotten(watch, judge):
    judge.memory._clock = clock = mock.Mock(return_value=1e9)
    judge.memory.keep(OTHER, set())
    clock.return_value += FORGOTTEN
    watch(FakeConnection({UUID: xml()}))
    until(lambda: judge.memory.choices(OTHER) is None)
    until(lambda: judge.memory.choices(UUID) is not None)


def test_a_fault_of_our_own_does_not_end_it(watch, caplog):
    result = watch(ZeroDivisionError("ours"))
    until(lambda: result._connect.call_count > 1)
    assert "ZeroDivisionError" in caplog.text
