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
def make(judge, path):
    """Return what answers, with its files in a folder."""

    def made(folder, **more):
        return Answers(PolicyFile(str(path), **more), judge, Metrics(), folder)

    return made


@pytest.fixture
def answers(tmp_path, path, make):
    domains.policy(path, ENFORCE)
    state = tmp_path / "state"
    state.mkdir(exist_ok=True)
    result = make(str(state), state=str(state / "policy.json"))
    result.refresh()
    return result


def counted(answers, operation, outcome):
    return answers._metrics._decisions[operation, outcome]


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
    answers, judge, events, chain, outcome, known
):
    """What ``prepare`` lets pass is not what the guest had before."""
    assert answers(Request(wire.PREPARE, "x", xml())).word == "allow"
    assert judge.memory.choices(UUID) is None
    whole = xml(inside=f"<backingStore type='{chain}'/>")
    answers(Request(wire.START, "x", whole))
    assert events("outcome") == [outcome]
    assert counted(answers, "start", outcome) == 1
    assert (judge.memory.choices(UUID) is not None) == known


def test_a_restore_says_nothing_of_what_a_guest_had(answers, judge, events):
    answers(Request(wire.RESTORE, "x", xml("sata")))
    assert (judge.memory.choices(UUID), events()) == (None, [])
    assert counted(answers, "restore", "allow") == 1
    assert answers(Request(wire.PREPARE, "x", xml("sata"))).word == "refuse"


def shown(answers):
    return json.loads(answers(Request(wire.STATUS, "", b"")).text)


def test_without_any_policy(tmp_path, make, events):
    answers = make(str(tmp_path))
    answers.refresh()
    for name in ("x", "nova-vhard-probe-1"):
        result = answers(Request(wire.PREPARE, name, xml()))
        assert result.word is Word.UNANSWERED
        assert "there is no policy" in result.text
    assert (events(), shown(answers)["policy"]) == ([], None)
    assert "policy.yaml" in shown(answers)["fault"]


def test_a_policy_that_breaks_goes_on_to_hold(answers, path):
    request = Request(wire.PREPARE, "x", xml("sata"))
    assert answers(request).word == "refuse"
    for text, word in (("version: [", "refuse"), (domains.POLICY, "allow")):
        path.write_text(text)
        # Read beside the answers, never for one.
        assert answers(request).word == "refuse"
        answers.refresh()
        assert answers(request).word == word


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


def test_a_hook_that_cannot_learn_it_is_an_alert(tmp_path, make, path, caplog):
    domains.policy(path, "on_host: {unanswered: refuse}\n")
    place = tmp_path / "gone"
    answers = make(str(place))
    for _ in range(3):
        answers.refresh()
    assert caplog.text.count("The hook does not learn") == 1
    assert str(place) in answers.trouble
    place.mkdir()
    answers.refresh()
    assert ((place / REFUSE_FILE).exists(), answers.trouble) == (True, "")


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (ENFORCE, Word.REFUSE),
        ("on_host: {mode: warn}\n", Word.ALLOW),
        ("enabled: false\n" + ENFORCE, Word.ALLOW),
    ],
)
def test_a_fault_of_the_guards_own(
    answers, judge, path, caplog, monkeypatch, more, word
):
    domains.policy(path, more)
    answers.refresh()
    monkeypatch.setattr(judge, "judge", lambda *arguments: 1 // 0)
    assert answers(Request(wire.PREPARE, "x", xml())).word is word
    assert "ZeroDivisionError" in caplog.text
    assert counted(answers, "start", "error") == 1


def test_a_probe_is_answered_whatever_the_mode_is(answers, path, events):
    name = "nova-vhard-probe-0123"
    for more in (ENFORCE, "enabled: false\n", ""):
        domains.policy(path, more)
        answers.refresh()
        result = answers(Request(wire.PREPARE, name, b"<domain/>"))
        assert (result.word, result.text) == (Word.REFUSE, probe.answer(name))
    assert events() == []


def test_what_an_operator_is_shown(answers, path):
    answers(Request(wire.START, "x", xml()))
    said = shown(answers)
    fields = said["guests"], said["mode"], said["hot_plug"]
    assert fields == (1, "enforce", "report")
    path.write_text("version: [")
    answers.refresh()
    assert shown(answers)["policy"]
    assert "policy.yaml" in shown(answers)["fault"]


def test_no_secret_is_logged_or_kept(tmp_path, answers, caplog):
    secret = "<graphics type='vnc' passwd='swordfish'/>"
    for operation in wire.OPERATIONS[:4]:
        for text in (xml("sata", secret), xml("sata", secret)[:-5]):
            answers(Request(operation, "x", text))
    answers._judge.memory.save()
    files = [path.read_text() for path in (tmp_path / "state").iterdir()]
    assert "swordfish" not in "".join([caplog.text, *files])
