# SPDX-License-Identifier: Apache-2.0
"""Tests of the daemon's answers and of the files it leaves for the hook."""

import json

import pytest

from nova_vhard.guard import probe, wire
from nova_vhard.guard.answers import REFUSE_FILE, Answers
from nova_vhard.guard.metrics import Metrics
from nova_vhard.guard.wire import Request, Word
from nova_vhard.policy.watch import PolicyFile
from tests.unit.guard import domains
from tests.unit.guard.domains import ENFORCE, UUID, xml


@pytest.fixture
def path(tmp_path):
    return tmp_path / "policy.yaml"


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def answers(tmp_path, path, judge, metrics):
    domains.policy(path, ENFORCE)
    file = PolicyFile(str(path), str(tmp_path / "state" / "policy.json"))
    (tmp_path / "state").mkdir(exist_ok=True)
    result = Answers(file, judge, metrics, str(tmp_path / "state"))
    result.refresh()
    return result


def counted(metrics, operation, outcome):
    return metrics._decisions[operation, outcome]


@pytest.mark.parametrize(
    "requests",
    [
        [(wire.PREPARE, "virtio", Word.ALLOW)],
        [(wire.PREPARE, "sata", Word.REFUSE)],
        [(wire.START, "virtio", Word.ALLOW)],
        [(wire.START, "sata", Word.REFUSE)],
        [(wire.RESTORE, "sata", Word.ALLOW)],
        # A migration and the start that follows.
        [
            (wire.MIGRATE, "sata", Word.ALLOW),
            (wire.PREPARE, "sata", Word.ALLOW),
            (wire.PREPARE, "ide", Word.REFUSE),
        ],
    ],
)
def test_an_answer(answers, requests):
    for operation, bus, word in requests:
        result = answers(Request(operation, "x", xml(bus)))
        assert result.word is word
        refused = word is Word.REFUSE
        assert result.text.startswith("nova-vhard-guard: ") == refused


@pytest.mark.parametrize(
    ("chain", "outcome", "known"),
    [("file", "allow", True), ("vhostuser", "refuse", False)],
)
def test_one_event_a_start_by_what_libvirt_finds_out_last(
    answers, judge, metrics, events, chain, outcome, known
):
    """What ``prepare`` lets pass is not what the guest had before."""
    request = Request(wire.PREPARE, "x", xml())
    assert answers(request).word == "allow"
    assert judge.memory.choices(UUID) is None
    whole = xml(inside=f"<backingStore type='{chain}'/>")
    answers(Request(wire.START, "x", whole))
    assert [event["outcome"] for event in events()] == [outcome]
    assert counted(metrics, "start", outcome) == 1
    assert (judge.memory.choices(UUID) is not None) == known


def test_a_restore_says_nothing_of_what_a_guest_had(
    answers, judge, metrics, events
):
    answers(Request(wire.RESTORE, "x", xml("sata")))
    assert judge.memory.choices(UUID) is None
    assert events() == []
    assert counted(metrics, "restore", "allow") == 1
    assert answers(Request(wire.PREPARE, "x", xml("sata"))).word == "refuse"


def test_without_any_policy(tmp_path, judge, metrics, events):
    file = PolicyFile(str(tmp_path / "none.yaml"))
    answers = Answers(file, judge, metrics, str(tmp_path))
    answers.refresh()
    for name in ("x", "nova-vhard-probe-1"):
        result = answers(Request(wire.PREPARE, name, xml()))
        assert result.word is Word.UNANSWERED
        assert "there is no policy" in result.text
    assert events() == []
    shown = json.loads(answers(Request(wire.STATUS, "", b"")).text)
    assert shown["policy"] is None
    assert "none.yaml" in shown["fault"]


def test_a_policy_that_breaks_goes_on_to_hold(answers, path):
    broken, lenient = "version: [", domains.POLICY
    for text, word in (
        (None, "refuse"),
        (broken, "refuse"),
        (lenient, "allow"),
    ):
        if text:
            path.write_text(text)
            # Read beside the answers, never for one.
            before = answers(Request(wire.PREPARE, "x", xml("sata")))
            assert before.word == "refuse"
            answers.refresh()
        assert answers(Request(wire.PREPARE, "x", xml("sata"))).word == word


def test_the_hook_learns_what_it_does_without_an_answer(
    tmp_path, answers, path
):
    left = tmp_path / "state" / REFUSE_FILE
    refuse = domains.POLICY + "on_host: {unanswered: refuse}\n"
    for text, refuses in (
        (refuse, True),
        (domains.POLICY + "on_host: {unanswered: allow}\n", False),
        (refuse, True),
        # A policy that is switched off refuses nothing.
        (refuse + "enabled: false\n", False),
        (refuse, True),
        # The last valid policy counts.
        ("version: [", True),
    ):
        path.write_text(text)
        answers.refresh()
        assert left.exists() == refuses


def test_a_hook_that_cannot_learn_it_is_an_alert(
    tmp_path, judge, metrics, path, caplog
):
    domains.policy(path, "on_host: {unanswered: refuse}\n")
    place = str(tmp_path / "gone")
    answers = Answers(PolicyFile(str(path)), judge, metrics, place)
    for _ in range(3):
        answers.refresh()
    assert caplog.text.count("The hook does not learn") == 1
    assert place in answers.trouble
    (tmp_path / "gone").mkdir()
    answers.refresh()
    assert (tmp_path / "gone" / REFUSE_FILE).exists()
    assert not answers.trouble


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (ENFORCE, Word.REFUSE),
        ("on_host: {mode: warn}\n", Word.ALLOW),
        ("enabled: false\n" + ENFORCE, Word.ALLOW),
    ],
)
def test_a_fault_of_the_guards_own(
    answers, judge, metrics, path, caplog, monkeypatch, more, word
):
    domains.policy(path, more)
    answers.refresh()
    monkeypatch.setattr(judge, "judge", lambda *arguments: 1 // 0)
    result = answers(Request(wire.PREPARE, "x", xml()))
    assert result.word is word
    assert "ZeroDivisionError" in caplog.text
    assert counted(metrics, "start", "error") == 1


def test_a_probe_is_answered_whatever_the_mode_is(answers, path, events):
    for more in (ENFORCE, "enabled: false\n", ""):
        domains.policy(path, more)
        answers.refresh()
        name = "nova-vhard-probe-0123"
        result = answers(Request(wire.PREPARE, name, b"<domain/>"))
        assert result.word is Word.REFUSE
        assert result.text == probe.answer(name)
    assert events() == []


def test_what_an_operator_is_shown(answers, path):
    answers(Request(wire.START, "x", xml()))
    shown = json.loads(answers(Request(wire.STATUS, "", b"")).text)
    assert shown["guests"] == 1
    assert (shown["mode"], shown["hot_plug"]) == ("enforce", "report")
    path.write_text("version: [")
    answers.refresh()
    shown = json.loads(answers(Request(wire.STATUS, "", b"")).text)
    assert shown["policy"]
    assert "policy.yaml" in shown["fault"]


def test_no_secret_is_logged_or_kept(tmp_path, answers, caplog):
    secret = "<graphics type='vnc' passwd='swordfish'/>"
    for operation in wire.OPERATIONS[:4]:
        for text in (xml("sata", secret), xml("sata", secret)[:-5]):
            answers(Request(operation, "x", text))
    answers._judge.memory.save()
    assert "swordfish" not in caplog.text
    for path in (tmp_path / "state").iterdir():
        assert "swordfish" not in path.read_text()
