# SPDX-License-Identifier: Apache-2.0
"""The guard beside libvirt: taken in, judged again, forgotten, proven."""

import json
import threading
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
from tests.unit.guard.domains import CARD, ENFORCE, UUID, xml
from tests.unit.guard.libvirts import FakeConnection

OTHER = domains.another()


@pytest.fixture
def holds(policy):
    return policy(ENFORCE)


@pytest.fixture
def options(tmp_path):
    (tmp_path / "run").mkdir()
    return SimpleNamespace(
        libvirt_uri="qemu:///system",
        run_dir=str(tmp_path / "run"),
        interval=5,
        probe_interval=60,
    )


@pytest.fixture
def fresh(tmp_path, judge):
    """Return the memory of a host whose guests have not been taken in."""
    judge.memory = Memory(str(tmp_path / "fresh"))
    return judge.memory


@pytest.fixture
def make(options, judge, holds):
    def made(connect=None, policy=lambda: holds):
        return Watcher(options, policy, judge, Metrics(), connect)

    return made


def test_all_guests_are_taken_in_once(fresh, make, events, caplog):
    connection = FakeConnection(
        {UUID: xml("sata")}, {OTHER: xml("ide", server=OTHER)}
    )
    make().look_at_all(connection)
    assert fresh.adopted
    assert len(fresh) == 2
    assert [event["outcome"] for event in events()] == ["warn", "warn"]
    assert "2 guests count as started before" in caplog.text
    # From now on who is unknown is new.
    new = domains.another()
    connection.running[new] = xml("sata", server=new)
    make().look_at_all(connection)
    assert len(fresh) == 2
    assert [event["outcome"] for event in events()[2:]] == ["refuse"]
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
    connection = FakeConnection({UUID: xml()})
    result = make()
    for change in [xml(), *changes]:
        connection.running[UUID] = change
        for _ in range(2):
            result.look_at_all(connection)
    written = [event["outcome"] for event in events()]
    assert written == ["allow", *outcomes]
    counts = result._metrics._decisions
    assert counts.total() == len(outcomes)


def test_a_guest_that_has_not_changed_is_not_judged(make, judge, monkeypatch):
    new = domains.another()
    connection = FakeConnection({UUID: xml(), new: b"<domain>"})
    result = make()
    result.look_at_all(connection)
    monkeypatch.setattr(judge, "judge", lambda *arguments: 1 // 0)
    result.look_at_all(connection)
    # What is gone is forgotten.
    connection.running.clear()
    result.look_at_all(connection)
    assert judge.before(UUID) is judge.before(new) is None


LAST = "ffffffff" + OTHER[8:]


def test_a_guest_that_cannot_be_read_keeps_no_other_from_being_judged(
    fresh, make, events, caplog
):
    connection = FakeConnection(
        {OTHER: xml("ide", server=OTHER), LAST: xml("sata", server=LAST)}
    )
    connection.sick.add(OTHER)
    result = make()
    for _ in range(4):
        result.look_at_all(connection)
    assert {event["subject"]["server"] for event in events()} == {LAST}
    assert caplog.text.count(f"Guest {OTHER} is not judged yet") == 1
    # It may have been there before: nobody is new until it is known.
    assert not fresh.adopted
    connection.sick.clear()
    result.look_at_all(connection)
    assert fresh.adopted
    assert fresh.choices(OTHER)
    count = len(events())
    result.look_at_all(connection)
    assert len(events()) == count


def test_a_guest_that_makes_the_judge_fail_keeps_no_other_from_being_judged(
    fresh, judge, make, events, caplog, monkeypatch
):
    connection = FakeConnection(
        {OTHER: xml(server=OTHER), LAST: xml("sata", server=LAST)}
    )
    read = judge.read

    def fail(text, operation):
        if OTHER.encode() in text:
            raise ZeroDivisionError("ours")
        return read(text, operation)

    result = make()
    with monkeypatch.context() as patch:
        patch.setattr(judge, "read", fail)
        for _ in range(3):
            result.look_at_all(connection)
    assert {event["subject"]["server"] for event in events()} == {LAST}
    # Nobody could tell of a guard that waits for it from one that is off.
    assert fresh.adopted
    assert fresh.choices(LAST)
    failed = [record.msg for record in caplog.records if record.exc_info]
    assert failed == [f"Guest {OTHER} could not be judged"]
    result.look_at_all(connection)
    assert fresh.choices(OTHER)
    assert f"Guest {OTHER} can be judged" in caplog.messages


def test_an_event_has_its_own_guest_read_alone(make, quick, monkeypatch):
    monkeypatch.setattr(watcher, "_ROUND", 3600)
    connection = FakeConnection({UUID: xml(), OTHER: xml(server=OTHER)})
    result = make()
    done = watching(result, [connection])
    while not result._proven_mode:
        done.wait(0.01)
    assert sorted(connection.read) == sorted([UUID, OTHER])
    connection.read.clear()
    for number in range(1, 4):
        connection.changed(UUID)
        connection.changed(domains.another())
        while len(connection.read) < number:
            done.wait(0.01)
    # Events that come at once are one, and no lifeless guest is read.
    result.stop()
    assert connection.read == [UUID] * 3


def test_many_events_of_one_guest_keep_no_other_from_being_read(make, quick):
    connection = FakeConnection({UUID: xml(), OTHER: xml(server=OTHER)})
    result = make()
    done = watching(result, [connection])
    while connection.read.count(OTHER) < 3:
        if connection.changed:
            connection.changed(UUID)
        done.wait(0.001)
    result.stop()


def test_one_that_is_gone_meanwhile_is_not_waited_for(fresh, make):
    connection = FakeConnection({OTHER: xml(server=OTHER)})
    connection.sick.add(OTHER)
    result = make()
    result.look_at_all(connection)
    assert not fresh.adopted
    connection.running.clear()
    result.look_at_all(connection)
    assert fresh.adopted


def test_all_are_taken_in_after_an_unreadable_memory_is_damaged(
    tmp_path, judge, make, events
):
    """Those too that were judged and refused as new ones in between."""
    path = tmp_path / "guests.json"
    path.write_text("{")
    with no_files():
        judge.memory = memory = Memory(str(tmp_path))
        connection = FakeConnection({UUID: xml("sata")})
        result = make()
        result.look_at_all(connection)
        memory.save()
    assert memory.choices(UUID) is None
    memory.save()
    assert not memory.adopted
    result.look_at_all(connection)
    assert memory.adopted
    assert memory.choices(UUID)
    assert [event["outcome"] for event in events()] == ["refuse"]


def test_nobody_is_taken_in_without_an_answer(fresh, make):
    connection = FakeConnection({UUID: xml()})
    connection.alive = False
    with pytest.raises(LibvirtError):
        make().look_at_all(connection)
    assert not fresh.adopted


def test_nobody_is_judged_without_a_policy(judge, make, caplog):
    def none():
        raise PolicyUnavailable("no file")

    connection = FakeConnection({UUID: xml("sata")})
    result = make(policy=none)
    for _ in range(2):
        result.look_at_all(connection)
    assert len(judge.memory) == 0
    assert caplog.text.count("no file") == 1


@pytest.mark.parametrize(
    ("says", "guarded"),
    [
        (lambda name: f"Hook failed: {probe.answer(name)}", True),
        (lambda name: probe.answer("nova-vhard-probe-other"), False),
        (lambda name: f"Cannot access storage file '/x/{name}'", False),
        (lambda name: f"nova-vhard-guard does not answer: {name}", False),
        (lambda name: None, False),
    ],
)
def test_a_proof(options, tmp_path, make, says, guarded):
    connection = FakeConnection()
    connection.says = says
    assert make().prove(connection).guarded == guarded
    result = json.loads((tmp_path / "run" / "guard.json").read_text())
    assert (result["guarded"], result["mode"]) == (guarded, "enforce")
    assert result["valid"] == 180


def test_a_proof_that_cannot_be_left_is_an_alert(options, make, caplog):
    options.run_dir = "/nonexistent"
    make().prove(FakeConnection())
    assert "guard_in_force finds no probe" in caplog.text


@pytest.mark.parametrize(
    ("more", "mode"),
    [
        ("", "enforce"),
        ("mode: warn\n", "warn"),
        ("mode: audit\nguest_devices: {disk_bus: {mode: audit}}\n", "warn"),
        ("mode: audit\npassthrough: {mode: enforce}\n", "enforce"),
        ("mode: audit\nhosts: {mode: enforce}\n", "warn"),
        (
            "mode: audit\nprojects: [{mode: enforce, projects: [p1]}]\n",
            "enforce",
        ),
        ("on_host: {mode: audit}\n", "audit"),
        ("enabled: false\n", "disabled"),
    ],
)
def test_the_mode_is_no_harder_than_any_rule(make, tmp_path, more, mode):
    """In baseline the rule on the machine type has mode warn of its own."""
    path = tmp_path / "policy.yaml"
    base = "version: '1'\nextends: baseline\n"
    base += more if "on_host" in more else more + ENFORCE
    path.write_text(base)
    holds = document.load(str(path))
    assert make(policy=lambda: holds)._mode() == mode


def watching(result, connections):
    """Let a watcher watch until all connections were used."""
    done = threading.Event()

    def each():
        yield from connections
        done.set()
        while True:
            yield LibvirtError("no more")

    result._connect = mock.Mock(side_effect=each())
    result.start()
    return done


@pytest.fixture
def quick(monkeypatch):
    """Shorten the watcher's pauses between rounds."""
    for name in ("_RETRY", "_ROUND", "_PAUSE"):
        monkeypatch.setattr(watcher, name, 0.01)


def test_a_guest_is_read_again_at_once_when_libvirt_tells_of_it(
    make, judge, quick, monkeypatch, events
):
    monkeypatch.setattr(watcher, "_ROUND", 3600)
    connection = FakeConnection({UUID: xml()})
    result = make()
    done = watching(result, [LibvirtError("not yet"), connection])
    while not events():
        done.wait(0.01)
    connection.running[UUID] = xml(devices=CARD)
    connection.changed(UUID)
    while not any(event["outcome"] == "refuse" for event in events()):
        done.wait(0.01)
    # The daemon was restarted: it is watched again.
    connection.alive = False
    connection.changed(UUID)
    assert done.wait(30)
    result.stop()
    assert connection.closed
    assert not result._metrics.connected


@pytest.mark.parametrize("seen", ["at its start", "by a connection"])
def test_a_device_is_taken_away_that_was_not_there_before(
    make, judge, quick, policy, seen
):
    """It is plugged in before the first round, or between connections."""
    holds = policy("on_host: {mode: enforce, hot_plug: detach}\n")
    lost = FakeConnection({UUID: xml()})
    new = FakeConnection({UUID: xml(devices=CARD)})
    new.gives = 1
    result = make(policy=lambda: holds)
    if seen == "at its start":
        judge.judge(holds, xml(), START)
        done = watching(result, [new])
    else:
        done = watching(result, [lost, new])
        while not result._proven_mode:
            done.wait(0.01)
        lost.alive = False
    while not new.asked:
        done.wait(0.01)
    new.alive = False
    assert done.wait(30)
    result.stop()
    assert len(new.asked) == 1


def test_a_policy_that_comes_late(tmp_path, fresh, make, judge, policy, quick):
    """Guests are taken in then, and the proof has the mode of the day."""
    holds = policy(ENFORCE)
    off = policy("enabled: false\n" + ENFORCE)
    current = mock.Mock(side_effect=PolicyUnavailable("no file"))
    result = make(policy=current)
    done = watching(result, [FakeConnection({UUID: xml()})])
    path = tmp_path / "run" / "guard.json"
    for now, mode in (
        (None, "disabled"),
        (holds, "enforce"),
        (off, "disabled"),
    ):
        if now:
            current.return_value = now
            current.side_effect = None
        for _ in range(3000):
            if path.exists() and json.loads(path.read_text())["mode"] == mode:
                break
            done.wait(0.01)
        else:
            pytest.fail(f"no proof says {mode}")
        assert fresh.adopted == bool(now)
    assert judge.judge(holds, xml("sata", server=OTHER), START).refused
    result.stop()


def test_guests_that_are_not_taken_in_yet(fresh, make):
    assert make()._mode() == "disabled"


def test_guests_that_are_gone_are_forgotten(make, judge, quick):
    judge.memory._clock = clock = mock.Mock(return_value=1e9)
    judge.memory.keep(OTHER, set())
    clock.return_value += FORGOTTEN
    connection = FakeConnection({UUID: xml()})
    result = make()
    done = watching(result, [connection])
    while judge.memory.choices(OTHER) is not None:
        done.wait(0.01)
    result.stop()
    assert judge.memory.choices(UUID) is not None


def test_a_fault_of_our_own_does_not_end_it(make, quick, caplog):
    result = make()
    done = watching(result, [ZeroDivisionError("ours")])
    assert done.wait(30)
    result.stop()
    assert "ZeroDivisionError" in caplog.text
