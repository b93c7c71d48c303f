# SPDX-License-Identifier: Apache-2.0
"""A step that hangs, dies or starts others is ended with all of them."""

import os
import pathlib
import signal
import subprocess
import sys
import time
from unittest import mock

import pytest

from nova_vhard.cleaner import lock, step_process
from nova_vhard.cleaner.journal import Done, Journal, Record, State
from nova_vhard.cleaner.rules import installed_steps
from nova_vhard.cleaner.step import Outcome, Step
from nova_vhard.cleaner.step_process import Isolation
from nova_vhard.host.processes import child_process, processes
from nova_vhard.host.root import HostRoot
from tests.unit.cleaner import trees

STEPS = installed_steps()
LIMIT = 0.5


class Does(Step):
    """A step that does something, and then says that all is clean."""

    name = "does"
    priority = 1
    schema = {"type": "object"}

    def __init__(self, action):
        self._action = action

    def run(self, job):
        self._action()
        return Outcome(True, "done", (str(os.getpid()),))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return trees.tree(tmp_path_factory.mktemp("tree"))


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(step_process, "_GRACE", 0.2)


def ended(pid):
    """Return True if a process is gone, or is a zombie."""
    for _ in range(300):
        try:
            text = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except FileNotFoundError:
            return True
        if text.rpartition(")")[2].split()[0] in "ZX":
            return True
        time.sleep(0.01)
    return False


def told(path, count=1):
    """Return the numbers that a process writes to a file."""
    while not (path.exists() and len(path.read_text().split()) == count):
        time.sleep(0.01)
    return [int(word) for word in path.read_text().split()]


def run(action, root, **more):
    """Run a step that does something; return its outcome."""
    return Isolation().run(Does(action), trees.job(root, **more))


def hang():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(60)


def test_a_step_runs_in_a_process_of_its_own(root):
    result = run(lambda: None, root)
    assert result.clean
    assert result.evidence != (str(os.getpid()),)


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (hang, "did not end within 0.5 seconds"),
        (lambda: os.kill(os.getpid(), signal.SIGSTOP), "did not end within"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "killed by SIGKILL"),
        (lambda: os._exit(0), "exit status 0"),
        (lambda: sys.exit(0), "SystemExit: 0"),
        (lambda: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_without_an_answer_it_is_not_clean(root, short, action, text):
    result = run(action, root, limit=LIMIT)
    assert not result.clean
    assert text in result.said


class Says(Does):
    """A step that returns an outcome of its own kind."""

    def run(self, job):
        return self._action


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Outcome("no", "dirty"), "makes no sense: clean no"),
        (Outcome(1, "exit status 1"), "makes no sense: clean 1"),
        (Outcome(None, "not known"), "makes no sense: clean None"),
        (Outcome(True, "done", "all of it"), "evidence all of it"),
        (Outcome(True, "done", None), "evidence None"),
        (None, "crashed"),
        ({"clean": True}, "crashed"),
    ],
)
def test_an_outcome_that_makes_no_sense_is_not_clean(root, outcome, text):
    result = Isolation().run(Says(outcome), trees.job(root))
    assert not result.clean
    assert text in result.said


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(True, None, (None, 7, ["x"])),
        Outcome(True, "x" * 600_000, ("y" * 100_000,) * 3),
        Outcome(True, "\udcff\n\0", ("\U0001f4be" * 500,) * 150),
    ],
)
def test_what_is_kept_of_an_outcome_can_be_read_again(root, tmp_path, outcome):
    done = []
    journal = Journal(str(tmp_path))
    for _ in range(9):
        result = Isolation().run(Says(outcome), trees.job(root))
        assert result.clean
        done.append(Done("says", result.clean, result.said, result.evidence))
    record = Record(trees.NVME, "p").to(State.CLEAN, steps=tuple(done))
    journal.write(record)
    now = journal.read(trees.NVME)
    assert (now.state, now.word) == (State.CLEAN, "")
    assert len(now.steps) == len(done)


def test_a_reset_that_never_comes_back_is_ended(tmp_path, short):
    root = trees.tree(tmp_path)
    # A FIFO that has no reader.
    place = trees.folder(root) / "reset"
    place.unlink()
    os.mkfifo(place)
    isolation = Isolation()
    result = isolation.run(
        STEPS["function_reset"], trees.job(root, limit=LIMIT)
    )
    assert not result.clean
    assert "did not end within 0.5 seconds, and was ended" in result.said
    assert not isolation.stuck


def test_a_read_that_never_comes_back_is_ended(root, short, monkeypatch):
    opened = HostRoot.open

    def never(self, path):
        if path.endswith("/config"):
            hang()
        return opened(self, path)

    monkeypatch.setattr(HostRoot, "open", never)
    job = trees.job(root, limit=LIMIT)
    result = Isolation().run(STEPS["function_reset"], job)
    assert not result.clean
    assert "did not end within" in result.said


GETS_AWAY = """
import os, signal, sys, time
if os.fork():
    os._exit(0)
os.setsid()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork():
    os._exit(0)
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(60)
"""


@pytest.mark.parametrize("after", [hang, lambda: None])
def test_what_got_away_is_ended_too(root, tmp_path, short, after):
    pid_file = tmp_path / "pid"

    def start():
        subprocess.Popen([sys.executable, "-c", GETS_AWAY, str(pid_file)])
        told(pid_file)
        after()

    run(start, root, limit=10 if after is not hang else 3)
    assert ended(*told(pid_file))


def test_one_that_cannot_be_ended_is_left_and_no_step_follows(
    root, short, monkeypatch
):
    isolation = Isolation()
    with monkeypatch.context() as patch:
        patch.setattr(child_process, "_kill", lambda pid: None)
        patch.setattr(child_process, "_PATIENCE", 0.05)
        job = trees.job(root, limit=LIMIT)
        first = isolation.run(Does(hang), job)
        second = isolation.run(Does(lambda: None), job)
    (pid,) = isolation.stuck.values()
    assert isolation.stuck == {trees.NVME: pid}
    assert f"process {pid} hangs and cannot be ended" in first.said
    assert not first.clean
    assert f"not run: process {pid} of an earlier time" in second.said
    assert not second.clean
    os.kill(pid, signal.SIGKILL)
    assert ended(pid)
    assert not isolation.stuck
    job = trees.job(root, limit=60)
    assert isolation.run(Does(lambda: None), job).clean


def test_a_step_does_not_outlive_the_cleaner(root, tmp_path):
    pid_file = tmp_path / "pid"

    def tell_and_hang():
        process = subprocess.Popen(["sleep", "60"])
        pid_file.write_text(f"{os.getpid()} {process.pid}")
        hang()

    cleaner = os.fork()
    if not cleaner:
        run(tell_and_hang, root, limit=50)
        os._exit(0)
    step, below = told(pid_file, 2)
    os.kill(cleaner, signal.SIGKILL)
    os.waitpid(cleaner, 0)
    assert ended(step)
    os.kill(below, signal.SIGKILL)


def test_what_a_killed_step_has_started_is_ended(root, tmp_path):
    """Out of memory, say: nobody of ours is there to end the rest."""
    pid_file = tmp_path / "pid"

    def start_and_die():
        process = subprocess.Popen(["sleep", "60"])
        pid_file.write_text(str(process.pid))
        os.kill(os.getpid(), signal.SIGKILL)

    outcome = run(start_and_die, root)
    assert not outcome.clean
    assert "SIGKILL" in outcome.said
    assert ended(*told(pid_file))


def test_no_process_is_not_clean(root, monkeypatch):
    error = BlockingIOError(11, "Resource temporarily unavailable")
    monkeypatch.setattr(os, "fork", mock.Mock(side_effect=error))
    result = run(lambda: None, root)
    assert not result.clean
    assert "temporarily unavailable" in result.said


def test_the_one_who_waits_is_called_meanwhile(root, tmp_path):
    calls = tmp_path / "calls"

    def wait():
        while not calls.exists() or len(calls.read_text()) < 3:
            time.sleep(0.01)

    def called():
        with calls.open("a") as file:
            file.write(".")

    assert Isolation(called).run(Does(wait), trees.job(root)).clean


def test_processes_are_known_by_their_parents():
    process = subprocess.Popen(["sleep", "60"])
    assert process.pid in processes.descendants(os.getpid())
    process.kill()
    process.wait()
    assert process.pid not in processes.descendants(os.getpid())


def free(folder):
    """Return whether the lock is free."""
    try:
        with lock.hold(folder, "device"):
            return True
    except lock.Locked:
        return False


def test_whoever_was_started_holds_the_lock(tmp_path):
    """A cleaner that is killed leaves no device to another one too early."""
    folder = str(tmp_path / "run")
    with lock.hold(folder, "device"):
        started = subprocess.Popen(
            ["sleep", "60"], pass_fds=lock.descriptors()
        )
    assert lock.descriptors() == ()
    assert not free(folder)
    started.kill()
    started.wait()
    assert free(folder)


CHILD = """
import sys
from nova_vhard.cleaner import lock
from nova_vhard.cleaner.step_process import Isolation
from nova_vhard.cleaner.rules import installed_steps
from nova_vhard.host.root import HostRoot
from tests.unit.cleaner import trees
root, program, run = sys.argv[1:]
job = trees.job(HostRoot(root), {"program": program}, limit=600)
with lock.hold(run, "device"):
    Isolation().run(installed_steps()["command"], job)
"""


def test_a_killed_cleaner_takes_all_that_it_started_along(root, tmp_path):
    """Also what a program has started, and has no lock any longer."""
    place, folder = tmp_path / "pid", str(tmp_path / "run")
    program = tmp_path / "wipe"
    writes = f"(exec 3>&- 4>&- 5>&-; echo $$ > {place}; exec sleep 600) & wait"
    program.write_text(f"#!/bin/bash\n{writes.replace('$$', '$BASHPID')}\n")
    program.chmod(0o755)
    arguments = [str(root.root), str(program), folder]
    cleaner = subprocess.Popen([sys.executable, "-c", CHILD, *arguments])
    (pid,) = told(place)
    cleaner.kill()
    cleaner.wait()
    assert ended(pid)
    # The processes that hold the lock are ended one after the other.
    while not free(folder):
        time.sleep(0.02)


class TestCommand:
    def script(self, tmp_path, text, mode=0o755):
        place = tmp_path / "wipe"
        place.write_text(f"#!/bin/sh\n{text}\n")
        place.chmod(mode)
        return place

    def run(self, root, program, limit=20, **settings):
        settings = {"program": str(program), **settings}
        job = trees.job(root, settings, limit=limit)
        return Isolation().run(STEPS["command"], job)

    def test_exit_status_0_is_clean(self, root, tmp_path):
        program = self.script(tmp_path, 'echo wiped "$1" "$#"; echo done >&2')
        result = self.run(root, program, arguments=["a b; $(false)", ""])
        assert result.clean, result
        assert result.evidence[1:] == (
            "exit status 0",
            "wiped a b; $(false) 2",
            "done",
        )

    def test_it_gets_the_documented_variables_alone(
        self, root, tmp_path, monkeypatch
    ):
        monkeypatch.setenv("OS_PASSWORD", "secret")
        place = tmp_path / "env"
        text = f"/usr/bin/env | /usr/bin/grep -Ev '^(PWD|_)=' > {place}"
        result = self.run(root, self.script(tmp_path, text))
        assert result.clean, result
        assert set(place.read_text().splitlines()) == {
            "VHARD_DEVICE_ADDRESS=0000:02:00.0",
            "VHARD_DEVICE_VENDOR=1b36",
            "VHARD_DEVICE_PRODUCT=0010",
            "VHARD_DEVICE_CLASS=010802",
            f"VHARD_DEVICE_PATH={root.root}/sys/bus/pci/devices/0000:02:00.0",
            "VHARD_DEVICE_DRIVER=",
            "VHARD_DEVICE_TIME_LIMIT=20",
        }

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("exit 3", "exit status 3"),
            ("kill -9 $$", "killed by SIGKILL"),
            ("sleep 60 >/dev/null 2>&1 & exit 0", "left 1 processes"),
            ("setsid sleep 60 & exit 0", "left 1 processes"),
            # It ends with its step, however that ends.
            (
                "sleep 62 & echo $! > FILE; kill -9 $PPID; wait",
                "killed by SIGKILL",
            ),
        ],
    )
    def test_anything_else_is_not_clean(self, root, tmp_path, text, words):
        place = tmp_path / "pid"
        program = self.script(tmp_path, text.replace("FILE", str(place)))
        result = self.run(root, program)
        assert not result.clean
        assert words in result.said
        assert not place.exists() or ended(*told(place))

    def test_one_that_ignores_sigterm_is_ended_with_its_children(
        self, root, tmp_path
    ):
        place = tmp_path / "pid"
        text = (
            f"trap '' TERM; setsid sleep 61 & echo $! > {place}\n"
            "echo erasing; while :; do sleep 1; done"
        )
        result = self.run(root, self.script(tmp_path, text), 1)
        assert not result.clean
        assert "did not end within 1 seconds, and was killed" in result.said
        assert result.evidence[-1] == "erasing"
        assert ended(*told(place))

    def test_output_is_cut_and_cleaned(self, root, tmp_path):
        text = (
            "/usr/bin/yes filler | /usr/bin/head -c 3500000\n"
            "printf 'serial \\033[31m%s\\n' evil\n"
            "printf '%0300d\\n' 1; printf 'no end'"
        )
        result = self.run(root, self.script(tmp_path, text))
        assert result.clean
        assert len(result.evidence) == 22
        serial, number, last = result.evidence[-3:]
        assert (serial, last) == ("serial [31mevil", "no end")
        assert len(number) == 200

    @pytest.mark.parametrize(
        ("mode", "folder", "words"),
        [
            (0o775, 0o755, "others can write to"),
            (0o775, 0o755, "mode 0775"),
            (0o755, 0o777, "others can write"),
            (0o755, 0o755, ""),
        ],
    )
    def test_others_could_have_changed_it(
        self, root, tmp_path, mode, folder, words
    ):
        place = self.script(tmp_path, "exit 0", mode)
        tmp_path.chmod(folder)
        result = self.run(root, place)
        assert result.clean == (not words)
        assert words in result.said

    def test_a_link_that_others_can_turn(self, root, tmp_path):
        theirs = tmp_path / "theirs"
        theirs.mkdir()
        (theirs / "true").symlink_to("/usr/bin/true")
        link = tmp_path / "wipe"
        link.symlink_to(theirs / "true")
        assert self.run(root, link).clean
        theirs.chmod(0o777)
        assert "others can write" in self.run(root, link).said

    @pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
    def test_it_is_anothers(self, root, tmp_path):
        place = self.script(tmp_path, "exit 0")
        os.chown(place, 65534, 65534)
        assert "not owned by root: uid 65534" in self.run(root, place).said

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("missing", "No such file"),
            ("", "is not a regular file"),
            ("plain", "is not a program"),
            ("loop", "too many links"),
            ("bad", "Exec format error"),
        ],
    )
    def test_what_cannot_be_run(self, root, tmp_path, name, text):
        (tmp_path / "plain").write_text("x")
        (tmp_path / "plain").chmod(0o644)
        (tmp_path / "loop").symlink_to("loop")
        (tmp_path / "bad").write_bytes(b"\x7fELF")
        (tmp_path / "bad").chmod(0o755)
        result = self.run(root, tmp_path / name)
        assert not result.clean
        assert "was not run" in result.said
        assert text in result.said
