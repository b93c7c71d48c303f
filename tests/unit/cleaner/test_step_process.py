# SPDX-License-Identifier: Apache-2.0
"""A step that hangs, dies or starts others is ended with all of them."""

import os
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
from nova_vhard.host.processes import child_process
from tests.unit.cleaner import trees
from tests.unit.host.test_check_process import ended, hang

STEPS = installed_steps()
LIMIT = 0.5
DONE = Outcome(True, "done")


class Does(Step):
    """A step that does something, and then has an outcome."""

    name, priority, schema = "does", 1, {"type": "object"}

    def __init__(self, action=dict, outcome=DONE):
        self._action, self._outcome = action, outcome

    def run(self, job):
        self._action()
        return self._outcome


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return trees.tree(tmp_path_factory.mktemp("tree"))


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(step_process, "_GRACE", 0.2)


def told(path):
    """Return the number that a process writes to a file."""
    while not (path.exists() and path.read_text().strip()):
        time.sleep(0.01)
    return int(path.read_text())


def die(number=signal.SIGKILL):
    os.kill(os.getpid(), number)


def stop():
    die(signal.SIGSTOP)


def divide():
    return 1 / 0


def leave():
    os._exit(0)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (Does(hang), "did not end within 0.5 seconds"),
        (Does(stop), "did not end within"),
        (Does(die), "killed by SIGKILL"),
        (Does(leave), "exit status 0"),
        (Does(sys.exit), "SystemExit: "),
        (Does(divide), "ZeroDivisionError"),
        # Outcomes that make no sense.
        (Does(outcome=Outcome("no", "dirty")), "no sense: clean no"),
        (Does(outcome=Outcome(1, "exit status 1")), "no sense: clean 1"),
        (Does(outcome=Outcome(None, "not known")), "no sense: clean None"),
        (Does(outcome=Outcome(True, "", "all of it")), "evidence all of it"),
        (Does(outcome=Outcome(True, "done", None)), "evidence None"),
        (Does(outcome=None), "crashed"),
        (Does(outcome={"clean": True}), "crashed"),
    ],
)
def test_without_an_answer_it_is_not_clean(root, short, step, text):
    result = Isolation().run(step, trees.job(root, limit=LIMIT))
    assert not result.clean
    assert text in result.said


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(True, None, (None, 7, ["x"])),
        Outcome(True, "x" * 600_000, ("y" * 100_000,) * 3),
        Outcome(True, "\udcff\n\0", ("\U0001f4be" * 500,) * 150),
    ],
    ids=["no text", "long", "odd and many"],
)
def test_what_is_kept_of_an_outcome_can_be_read_again(root, tmp_path, outcome):
    result = Isolation().run(Does(outcome=outcome), trees.job(root))
    done = Done("says", result.clean, result.said, result.evidence)
    record = Record(trees.NVME, "p").to(State.CLEAN, steps=(done,) * 9)
    Journal(str(tmp_path)).write(record)
    now = Journal(str(tmp_path)).read(trees.NVME)
    assert (now.state, now.word, len(now.steps)) == (State.CLEAN, "", 9)


def test_a_reset_that_never_comes_back_is_ended(tmp_path, short):
    root = trees.tree(tmp_path)
    # A FIFO that has no reader.
    place = trees.folder(root) / "reset"
    place.unlink()
    os.mkfifo(place)
    isolation, job = Isolation(), trees.job(root, limit=LIMIT)
    result = isolation.run(STEPS["function_reset"], job)
    text = "did not end within 0.5 seconds, and was ended"
    assert (result.clean, result.said) == (False, text)
    assert not isolation.stuck


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


@pytest.mark.parametrize(
    ("after", "limit"), [(hang, 3), (dict, 10), (die, 10)]
)
def test_what_a_step_has_started_is_ended(root, tmp_path, after, limit):
    """However it ends: a killed one cannot end the rest itself."""

    def start():
        subprocess.Popen([sys.executable, "-c", GETS_AWAY, tmp_path / "pid"])
        told(tmp_path / "pid")
        after()

    outcome = Isolation().run(Does(start), trees.job(root, limit=limit))
    assert outcome.clean == (after is dict)
    assert ended(told(tmp_path / "pid"))


def test_one_that_cannot_be_ended_is_left_and_no_step_follows(
    root, short, monkeypatch
):
    isolation, job = Isolation(), trees.job(root, limit=LIMIT)
    with monkeypatch.context() as patch:
        patch.setattr(child_process, "_kill", lambda pid: None)
        patch.setattr(child_process, "_PATIENCE", 0.05)
        first, second = (
            isolation.run(Does(each), job) for each in (hang, dict)
        )
    (pid,) = isolation.stuck.values()
    assert isolation.stuck == {trees.NVME: pid}
    assert f"process {pid} hangs and cannot be ended" in first.said
    assert f"not run: process {pid} of an earlier time" in second.said
    assert not first.clean and not second.clean
    os.kill(pid, signal.SIGKILL)
    assert ended(pid)
    assert isolation.run(Does(), trees.job(root)).clean


def test_no_process_is_not_clean(root, monkeypatch):
    error = BlockingIOError(11, "Resource temporarily unavailable")
    monkeypatch.setattr(os, "fork", mock.Mock(side_effect=error))
    result = Isolation().run(Does(), trees.job(root))
    assert not result.clean
    assert "temporarily unavailable" in result.said


def test_the_one_who_waits_is_called_meanwhile(root, short):
    waits = mock.Mock()
    Isolation(waits).run(Does(hang), trees.job(root, limit=LIMIT))
    assert waits.call_count > 2


def free(folder):
    """Return whether the lock is free."""
    try:
        with lock.hold(folder, "device"):
            return True
    except lock.Locked:
        return False


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


def test_whoever_was_started_holds_the_lock(tmp_path):
    """A cleaner that is killed leaves no device to another one too early."""
    folder = str(tmp_path / "run")
    with lock.hold(folder, "device"):
        words = {"pass_fds": lock.descriptors()}
        started = subprocess.Popen(["sleep", "60"], **words)
    held = lock.descriptors(), free(folder)
    started.kill()
    started.wait()
    assert (*held, free(folder)) == ((), False, True)


def test_a_killed_cleaner_takes_all_that_it_started_along(root, tmp_path):
    """Also what a program has started, and has no lock any longer."""
    place, folder = tmp_path / "pid", str(tmp_path / "run")
    writes = f"(exec 3>&- 4>&- 5>&-; echo $BASHPID > {place}; exec sleep 600)"
    program = wipe(tmp_path, f"{writes} & wait", "#!/bin/bash")
    arguments = [str(root.root), str(program), folder]
    cleaner = subprocess.Popen([sys.executable, "-c", CHILD, *arguments])
    pid = told(place)
    cleaner.kill()
    cleaner.wait()
    assert ended(pid)
    # The processes that hold the lock are ended one after the other.
    while not free(folder):
        time.sleep(0.02)


def wipe(folder, text, head="#!/bin/sh"):
    """Return a program."""
    place = folder / "wipe"
    place.write_text(f"{head}\n{text}\n")
    place.chmod(0o755)
    return place


def command(root, program, limit=20):
    """Return the outcome of the step command."""
    settings = {"program": str(program), "arguments": ["a b; $(false)", ""]}
    job = trees.job(root, settings, limit=limit)
    return Isolation().run(STEPS["command"], job)


LONG = """\
/usr/bin/yes filler | /usr/bin/head -c 3500000
printf 'serial \\033[31m%s\\n' evil
printf '%0300d\\n' 1; printf 'no end'"""
IGNORES = """\
trap '' TERM; setsid sleep 61 & echo $! > {pid}
echo erasing; while :; do sleep 1; done"""
VARIABLES = (
    "VHARD_DEVICE_ADDRESS=0000:02:00.0",
    "VHARD_DEVICE_CLASS=010802",
    "VHARD_DEVICE_DRIVER=",
    "VHARD_DEVICE_PATH={root}/sys/bus/pci/devices/0000:02:00.0",
    "VHARD_DEVICE_PRODUCT=0010",
    "VHARD_DEVICE_TIME_LIMIT=20",
    "VHARD_DEVICE_VENDOR=1b36",
)
OK = "exit status 0"


@pytest.mark.parametrize(
    ("text", "limit", "said", "printed"),
    [
        (
            'echo wiped "$1" "$#"; echo done >&2',
            20,
            OK,
            ("wiped a b; $(false) 2", "done"),
        ),
        # Nothing of the cleaner's own environment, as its password.
        (
            "/usr/bin/env | /usr/bin/grep -Ev '^(PWD|_)=' | /usr/bin/sort",
            20,
            OK,
            VARIABLES,
        ),
        # Output is cut and cleaned.
        (
            LONG,
            20,
            OK,
            (
                *("filler",) * 17,
                "serial [31mevil",
                "0" * 199 + "…",
                "no end",
            ),
        ),
        ("exit 3", 20, "exit status 3", ()),
        ("kill -9 $$", 20, "killed by SIGKILL", ()),
        ("sleep 60 >/dev/null 2>&1 & exit 0", 20, "left 1 processes", ()),
        ("setsid sleep 60 & exit 0", 20, "left 1 processes", ()),
        # It ends with its step, however that ends.
        (
            "sleep 62 & echo $! > {pid}; kill -9 $PPID; wait",
            20,
            "killed by SIGKILL",
            None,
        ),
        (
            IGNORES,
            1,
            "did not end within 1 seconds, and was killed",
            ("erasing",),
        ),
    ],
)
def test_what_a_program_does(root, tmp_path, text, limit, said, printed):
    pid = tmp_path / "pid"
    program = wipe(tmp_path, text.replace("{pid}", str(pid)))
    result = command(root, program, limit)
    assert result.clean == (said == OK)
    assert said in result.said
    if printed is not None:
        lines = tuple(line.format(root=root.root) for line in printed)
        assert result.evidence[2:] == lines
    assert not pid.exists() or ended(told(pid))


@pytest.mark.parametrize(
    ("name", "changed", "mode", "words"),
    [
        ("wipe", "wipe", 0o755, ""),
        ("link", "wipe", 0o755, ""),
        ("wipe", "wipe", 0o775, "others can write to"),
        ("wipe", "wipe", 0o775, "mode 0775"),
        ("wipe", ".", 0o777, "others can write"),
        # A link that others can turn.
        ("link", "theirs", 0o777, "others can write"),
        ("wipe", "wipe", 0o644, "is not a program"),
        ("missing", "wipe", 0o755, "No such file"),
        ("", "wipe", 0o755, "is not a regular file"),
        ("loop", "wipe", 0o755, "too many links"),
        ("wipe", "wipe", None, "Exec format error"),
    ],
)
def test_a_program_that_is_not_run(root, tmp_path, name, changed, mode, words):
    wipe(tmp_path, "exit 0", "#!/bin/sh" if mode else "\x7fELF")
    (tmp_path / "theirs").mkdir()
    for link, target in (
        ("theirs/true", "/usr/bin/true"),
        ("link", tmp_path / "theirs/true"),
        ("loop", "loop"),
    ):
        (tmp_path / link).symlink_to(target)
    (tmp_path / changed).chmod(mode or 0o755)
    result = command(root, tmp_path / name)
    assert result.clean == (not words)
    assert ("was not run" in result.said) == bool(words)
    assert words in result.said


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_program_that_is_anothers(root, tmp_path):
    place = wipe(tmp_path, "exit 0")
    os.chown(place, 65534, 65534)
    assert "not owned by root: uid 65534" in command(root, place).said
