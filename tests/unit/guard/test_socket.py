# SPDX-License-Identifier: Apache-2.0
"""The daemon's answers, its socket, and the hook as a process."""

import contextlib
import functools
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
from concurrent import futures
from unittest import mock

import pytest

from nova_vhard.common import files as common_files
from nova_vhard.guard import hook, probe, server, wire
from nova_vhard.guard.answers import REFUSE_FILE, Answers
from nova_vhard.guard.metrics import Metrics
from nova_vhard.guard.server import Server
from nova_vhard.guard.wire import Answer, Request, Word
from nova_vhard.policy.watch import PolicyFile
from tests.trees import build
from tests.unit.guard import domains
from tests.unit.guard.domains import ENFORCE, UUID, xml

PATH = pathlib.Path(hook.__file__)
PYTHON = "/usr/bin/python3"
XML = b"<domain/>"
PREPARE = Request(wire.PREPARE, "x", XML)
ALLOW = Answer(Word.ALLOW)
REFUSE = Answer(Word.REFUSE, "no\nsuch disk")
UNANSWERED = Answer(Word.UNANSWERED, "there is no policy")


@contextlib.contextmanager
def serving(folder, answer, users=None, threads=4):
    """Answer at a socket; yield its path and the server."""
    path = os.path.join(folder, "guard.sock")
    users = frozenset((os.geteuid(),)) if users is None else users
    result = Server(server.listen(path), answer, users, threads)
    result.start()
    try:
        yield path, result
    finally:
        result.stop()


def hooked(folder, operation, name="instance-1", seconds="1.8"):
    """Run the hook as libvirt does, with paths of this test."""
    text = PATH.read_text()
    for old, new in (
        (hook.SOCKET, f"{folder}/guard.sock"),
        (hook.REFUSE, f"{folder}/refuse"),
        (hook.DISABLED, f"{folder}/policy.yaml.disabled"),
        ("/dev/log", f"{folder}/log"),
        ("SECONDS = 1.8", f"SECONDS = {seconds}"),
    ):
        assert old in text
        text = text.replace(old, new)
    place = pathlib.Path(folder) / "hook"
    place.write_text(text)
    return subprocess.run(
        [PYTHON, "-IS", place, name, operation, "begin", "-"],
        input=XML,
        capture_output=True,
        timeout=30,
        check=False,
    )


needs_python = pytest.mark.skipif(
    not os.path.exists(PYTHON), reason="the system has no python3"
)


def test_the_hook_is_short_and_libvirt_can_run_it():
    text = PATH.read_text()
    assert len(text.splitlines()) < 62
    assert text.startswith("#!/usr/bin/python3 -IS\n")
    assert hook.SECONDS + 0.1 < 2


@needs_python
@pytest.mark.parametrize(
    ("operation", "answer", "status", "text"),
    [
        ("prepare", ALLOW, 0, b""),
        ("prepare", REFUSE, 1, b"no such disk"),
        ("start", REFUSE, 1, b"no such disk"),
        ("migrate", REFUSE, 1, b"no such disk"),
        # libvirt would delete the saved state.
        ("restore", REFUSE, 0, b"no such disk"),
        ("prepare", UNANSWERED, 0, b""),
        ("started", REFUSE, 0, b""),
        ("reconnect", REFUSE, 0, b""),
    ],
)
def test_the_hook_does_what_the_daemon_says(
    short, operation, answer, status, text
):
    give = mock.Mock(return_value=answer)
    with serving(short, give):
        done = hooked(short, operation)
    assert (done.returncode, done.stderr, done.stdout) == (status, text, b"")
    asked = [mock.call(Request(operation, "instance-1", XML))]
    assert give.mock_calls == (asked if operation in wire.OPERATIONS else [])


@pytest.mark.parametrize("operation", ["prepare", "restore"])
def test_the_hook_has_no_alarm_left_behind_an_answer(monkeypatch, operation):
    """It would end with that signal, which libvirt takes for a refusal."""
    before = signal.getsignal(signal.SIGALRM)
    monkeypatch.setattr(hook, "ask", lambda *_: (True, ""))
    try:
        assert hook.main("instance-1", operation) == 0
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@needs_python
@pytest.mark.parametrize(
    ("files", "status"),
    [
        ({}, 0),
        ({"/refuse": ""}, 1),
        # The policy can be disabled even if the daemon cannot start.
        ({"/refuse": "", "/policy.yaml.disabled": ""}, 0),
    ],
)
@pytest.mark.parametrize("answers", [False, True])
@pytest.mark.parametrize("operation", ["prepare", "start"])
def test_the_hook_without_an_answer(short, files, status, answers, operation):
    """The host's log has one alert for each start."""
    build(pathlib.Path(short), files)
    daemon = contextlib.nullcontext()
    if answers:
        daemon = serving(short, lambda request: UNANSWERED)
    with daemon, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(f"{short}/log")
        done = hooked(short, operation, name="a\x1bname")
        log.sendto(b"nothing", f"{short}/log")
        alert = log.recv(1024).decode().rsplit("' ", 1)[-1]
    word = "is refused" if status else "starts unjudged"
    silent = operation == "prepare" and not status
    assert alert == ("nothing" if silent else word)
    assert (done.returncode, done.stdout) == (status, b"")
    assert (b"does not answer" in done.stderr) == bool(status)
    assert b"\x1b" not in done.stderr


@needs_python
def test_the_hook_does_not_wait_for_a_daemon_that_hangs(short):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{short}/guard.sock")
        listener.listen()
        done = hooked(short, "prepare", seconds="0.2")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_request_and_its_answer(short):
    with serving(short, lambda request: REFUSE) as (path, _):
        answer = wire.ask(path, Request(wire.PREPARE, "a guest", XML), 5)
        mode = os.stat(path).st_mode & 0o777
    # The answer is a single line, and only the owner can use the socket.
    assert (answer, mode) == (Answer(Word.REFUSE, "no such disk"), 0o600)


def test_many_at_once_are_all_answered(short):
    """Many more than threads: the others wait in the kernel."""
    names, asked = [f"g{i}" for i in range(200)], []

    def give(request):
        asked.append(request.name)
        return Answer(Word.REFUSE, request.name)

    with (
        serving(short, give, threads=2) as (path, running),
        futures.ThreadPoolExecutor(len(names)) as clients,
    ):
        requests = [Request(wire.PREPARE, name, XML) for name in names]
        ask = functools.partial(wire.ask, path, seconds=60)
        assert [each.text for each in clients.map(ask, requests)] == names
    assert (len(asked), running.rejected) == (len(names), 0)


def raw(path, data, half=True):
    """Send bytes; return what comes back until the end."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(30)
        peer.connect(path)
        with contextlib.suppress(OSError):
            peer.sendall(data)
            if half:
                peer.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            return peer.recv(100)
    return b""


OTHER = os.geteuid() + 1
REQUEST = b"prepare x\n<domain/>"


@pytest.mark.parametrize(
    ("data", "half", "user", "said"),
    [
        (b"", True, None, ""),
        (b"\n", True, None, ""),
        (b"prepare", True, None, ""),
        (b"kill x\n<domain/>", True, None, ""),
        (b"x" * 5000, True, None, ""),
        (b"\0" * 20, True, None, ""),
        (
            b"prepare x\n" + b"x" * (wire.LIMIT + wire.HEAD_LIMIT + 10),
            True,
            None,
            "",
        ),
        # A request without an end, and one of an unauthorized user.
        (b"prepare x\n", False, None, ""),
        (REQUEST, True, OTHER, f"user {os.geteuid()} may not ask"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_what_is_no_request_is_closed_on(
    short, monkeypatch, caplog, data, half, user, said
):
    if not half:
        monkeypatch.setattr(server, "_RECEIVE", 0.05)
    give = mock.Mock(return_value=ALLOW)
    users = user and frozenset((user,))
    with serving(short, give, users) as (path, running):
        assert raw(path, data, half) == b""
        give.assert_not_called()
        # and the next is answered
        if half and not user:
            assert wire.ask(path, PREPARE, 5) == ALLOW
    assert running.rejected == 1
    assert said in caplog.text
    assert "Traceback" not in caplog.text


def test_a_document_that_is_too_long_is_the_judges_to_refuse(short):
    give = mock.Mock(return_value=ALLOW)
    request = Request(wire.PREPARE, "n", b"x" * (wire.LIMIT + 1))
    with serving(short, give) as (path, _):
        assert wire.ask(path, request, 30) == ALLOW
    assert len(give.call_args.args[0].xml) > wire.LIMIT


def test_a_fault_of_an_answer_ends_no_thread(short, caplog):
    fail = mock.Mock(side_effect=ZeroDivisionError)
    with serving(short, fail, threads=1) as (path, running):
        for _ in range(2):
            with pytest.raises(ConnectionError):
                wire.ask(path, PREPARE, 5)
    assert running.rejected == 2
    assert caplog.text.count("ZeroDivisionError") >= 2


def test_a_stop_lets_an_answer_be_made(short):
    begun, go_on = threading.Event(), threading.Event()

    def give(request):
        begun.set()
        go_on.wait(30)
        return REFUSE

    with futures.ThreadPoolExecutor() as clients:
        with serving(short, give) as (path, _):
            asked = clients.submit(wire.ask, path, PREPARE, 30)
            assert begun.wait(30)
            threading.Timer(0.05, go_on.set).start()
        assert asked.result().word is Word.REFUSE


# Tests of the daemon's answers and of the files it leaves for the hook.


@pytest.fixture
def path(tmp_path):
    return tmp_path / "policy.yaml"


@pytest.fixture
def make(judge, path):
    """Return a function that makes Answers with their files in a folder."""

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
    """``prepare`` does not record the devices of a guest; ``start`` does."""
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


@pytest.mark.refused_policy
def test_without_any_policy(tmp_path, make, events):
    answers = make(str(tmp_path))
    answers.refresh()
    for name in ("x", "nova-vhard-probe-1"):
        result = answers(Request(wire.PREPARE, name, xml()))
        assert result.word is Word.UNANSWERED
        assert "there is no policy" in result.text
    assert (events(), shown(answers)["policy"]) == ([], None)
    assert "policy.yaml" in shown(answers)["fault"]


@pytest.mark.refused_policy
def test_a_policy_that_breaks_goes_on_to_hold(answers, path):
    request = Request(wire.PREPARE, "x", xml("sata"))
    assert answers(request).word == "refuse"
    for text, word in (("version: [", "refuse"), (domains.POLICY, "allow")):
        path.write_text(text)
        # The file is read in the background, never during a request.
        assert answers(request).word == "refuse"
        answers.refresh()
        assert answers(request).word == word


@pytest.mark.refused_policy
def test_the_hook_learns_what_it_does_without_an_answer(
    tmp_path, answers, path
):
    left = tmp_path / "state" / REFUSE_FILE
    refuse = domains.POLICY + "on_host: {unanswered: refuse}\n"
    for text, refuses in (
        (refuse, True),
        (domains.POLICY + "on_host: {unanswered: allow}\n", False),
        (refuse, True),
        # A disabled policy refuses nothing.
        (refuse + "enabled: false\n", False),
        (refuse, True),
        # The last valid policy stays in force.
        ("version: [", True),
    ):
        path.write_text(text)
        answers.refresh()
        assert left.exists() == refuses


def test_a_policy_is_shown_after_the_hook_was_told(answers, path, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        common_files,
        "replace",
        lambda name, *_: seen.update({name: shown(answers)["unanswered"]}),
    )
    domains.policy(path, "on_host: {unanswered: refuse}\n")
    answers.refresh()
    assert seen[answers._refuse_file] == "allow"
    assert shown(answers)["unanswered"] == "refuse"


def test_a_hook_that_cannot_learn_it_is_an_alert(tmp_path, make, path, caplog):
    domains.policy(path, "on_host: {unanswered: refuse}\n")
    place = tmp_path / "gone"
    answers = make(str(place))
    for _ in range(3):
        answers.refresh()
    assert caplog.text.count("The hook cannot be told") == 1
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


@pytest.mark.refused_policy
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
