# SPDX-License-Identifier: Apache-2.0
"""Tests of each cleaning step and of the process that it runs in."""

import functools
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
from unittest import mock
from unittest.mock import call

import jsonschema
import pytest

from nova_vhard.cleaner import lock, nvme, step_process
from nova_vhard.cleaner.journal import Done, Journal, Record, State
from nova_vhard.cleaner.rules import installed_steps
from nova_vhard.cleaner.step import Outcome, Step
from nova_vhard.cleaner.step_process import Isolation
from nova_vhard.cleaner.steps.nvme_erase import NvmeErase
from nova_vhard.host.processes import child_process
from nova_vhard.host.root import Unreadable
from tests.trees import build
from tests.unit.cleaner import trees
from tests.unit.cleaner.trees import (
    CLEAR,
    E1000E,
    IGB,
    NVME,
    SIZE,
    VIRTIO,
    changed,
    data,
)
from tests.unit.guard.domains import until
from tests.unit.host.test_check_process import (
    die,
    divide,
    ended,
    hang,
    leave,
    leave_by_exception,
)

STEPS = installed_steps()
RESET = STEPS["function_reset"]
BESIDES = "besides: 0000:02:00.1 0000:02:00.2"


def reset(job):
    jsonschema.Draft202012Validator(RESET.schema).validate(job.settings)
    return Isolation().run(RESET, job)


def test_the_first_way_is_used_alone_and_the_others_are_left(root):
    job = trees.job(root)
    result = RESET.run(job)
    assert (result.clean, result.said) == (True, "reset by flr")
    assert job.written == [
        ("reset_method", "flr"),
        ("reset", "1"),
        ("reset_method", "flr bus"),
    ]
    assert "reset_method: flr bus" in result.evidence
    assert "command register: 0x0002 before" in result.evidence[-1]


@pytest.mark.parametrize(
    ("address", "methods", "said", "evidence"),
    [
        (NVME, ["flr"], "reset by flr", "reset_method: flr bus"),
        (NVME, ["af_flr", "bus"], "reset by bus", "weaker"),
        (NVME, ["af_flr", "bus"], "reset by bus", BESIDES),
        (IGB, None, "reset by flr", ""),
        (E1000E, None, "reset by pm", ""),
        # The kernel does not have the method that the rules demand.
        (
            E1000E,
            ["flr"],
            "the kernel cannot reset it by flr",
            "reset_method: pm",
        ),
        (VIRTIO, None, "the kernel knows no way to reset this device", ""),
    ],
)
def test_a_device_of_the_captured_machine(
    tmp_path, address, methods, said, evidence
):
    """The step runs in its own process, and the file is really written."""
    root = trees.tree(tmp_path, address, others=address == IGB)
    settings = {"methods": methods} if methods else {}
    result = reset(trees.job(root, settings, address))
    is_reset = said.startswith("reset by")
    assert (result.clean, result.said) == (is_reset, said)
    assert evidence in "\n".join(result.evidence)
    written = (trees.folder(root, address) / "reset").read_text().strip()
    assert written == ("1" if is_reset else "")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"refuses": "reset"}, "/reset: Inappropriate ioctl"),
        ({"refuses": "reset_method"}, "/reset_method: Inappropriate ioctl"),
        *(
            ({"on_reset": change}, text)
            for change, text in (
                (
                    functools.partial(
                        trees.patch, offset=0, data=b"\xff" * 4096
                    ),
                    "does not answer",
                ),
                (
                    functools.partial(trees.patch, offset=2, data=b"\x99"),
                    "another device answers",
                ),
                (
                    functools.partial(trees.patch, offset=4, data=b"\x06"),
                    "switched on what was off",
                ),
                (os.unlink, "No such file"),
                (
                    functools.partial(os.truncate, length=64),
                    "64 bytes, where all are",
                ),
            )
        ),
    ],
)
def test_a_device_that_is_not_well_after_it(root, more, text):
    result = reset(trees.job(root, **more))
    assert (result.clean, text in result.said) == (False, True)
    # The order of the reset methods is restored.
    method = trees.folder(root) / "reset_method"
    assert method.read_text().strip() == "flr bus"


def test_a_device_that_writes_to_memory_by_itself(root):
    folder = trees.folder(root)
    trees.patch(folder / "config", 4, b"\x06")
    result = reset(trees.job(root))
    assert (result.clean, "bus master" in result.said) == (False, True)
    (folder / "driver").symlink_to("../../../bus/pci/drivers/nvme")
    assert reset(trees.job(root)).clean


def test_a_device_that_vanished(root):
    job = trees.job(root)
    os.unlink(f"{root.root}/sys/bus/pci/devices/{NVME}")
    result = reset(job)
    assert (result.clean, "No such file" in result.said) == (False, True)


# nvme_erase, on recorded outputs of nvme-cli and files for namespaces.


RUNNING, SANITIZED, FAILED, NEVER = (
    data(f"nvme-cli/sanitize-log-{name}.json")
    for name in ("running", "done", "failed", "never")
)
FORMAT = data("nvme-cli/format.txt")
INVALID = data("nvme-cli/sanitize-unsupported.txt")
DISK = "/dev/nvme0n1"
ONE_IS_LEFT = (
    f"head -c 4096 {{disk}} > {{disk}}.one; {CLEAR}; "
    "dd if={disk}.one of={disk} conv=notrunc 2>/dev/null"
)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(nvme, "POLL", 0.001)
    root = trees.tree(tmp_path)
    build(trees.folder(root) / "nvme/nvme0/nvme0n1", {"/nsid": "1\n"})
    return root


@pytest.fixture
def cli(tmp_path, root):
    """Return an nvme-cli for a drive that contains data of a guest."""
    content = bytes(range(256)) * (SIZE // 512) + bytes(SIZE // 2)
    disk = pathlib.Path(build(pathlib.Path(root.root), {DISK: content}))
    return trees.Nvme(tmp_path, disk / DISK[1:])


def erase(root, cli, *answers, driver="nvme", refuses="", **settings):
    """Return the outcome of the step on a drive with these answers."""
    for answer in answers:
        cli.answers(*answer.args, **answer.kwargs)
    settings = {"program": str(cli.path), **settings}
    job = trees.bound(root, settings, driver, refuses=refuses)
    try:
        return NvmeErase().run(job)
    except Unreadable as error:
        return Outcome(False, str(error))


def orders(cli):
    """Return the commands that change the drive, without the queries."""
    return [
        line for line in cli.asked if line.startswith(("format", "sanitize /"))
    ]


def test_a_format_by_which_everything_is_gone(root, cli):
    outcome = erase(root, cli)
    assert outcome.clean, outcome
    assert outcome.said.startswith("erased by format_user_data")
    (order,) = orders(cli)
    assert "--namespace-id=1 --ses=1 " in order and "--force" in order
    text = "\n".join(outcome.evidence)
    for part in (
        "oacs 0x12a, sanicap 0x0, fna 0x0, cmic 0x0",
        "percentage used: 0, wear_limit: 90",
        f"namespace 1, {SIZE} bytes: 0 of ",
    ):
        assert part in text
    assert "(0 were marked)" not in text


def has(**fields):
    """Return the output of id-ctrl with these fields changed."""
    return call("id-ctrl", changed("nvme-cli/id-ctrl.json", **fields))


def used(percent):
    text = changed("nvme-cli/smart-log.json", percent_used=percent)
    return call("smart-log", text)


def spaces(*numbers):
    listed = {"nsid_list": [{"nsid": number} for number in numbers]}
    return call("list-ns", json.dumps(listed))


SANITIZES, ERASED = call("sanitize-log", NEVER, SANITIZED), "erased by "
BY_BLOCKS = {"methods": ["sanitize_crypto", "sanitize_block"]}
NO_WAY = "it has no "
UNTOLD = "percent_used: no number"


@pytest.mark.parametrize(
    ("answers", "settings", "said", "order"),
    [
        # The best method that the controller reports is used.
        ([has(sanicap=3), SANITIZES], {}, ERASED, "sanact=4"),
        ([has(sanicap=2, fna=4), SANITIZES], {}, ERASED, "sanact=2"),
        ([has(fna=4)], {}, ERASED, "ses=2"),
        ([has(sanicap=4)], {}, ERASED, "ses=1"),
        (
            [has(sanicap=7), SANITIZES],
            {"methods": ["sanitize_overwrite"]},
            ERASED,
            "sanact=3",
        ),
        (
            [has(sanicap=3), SANITIZES],
            {"methods": ["format_crypto", "sanitize_block"]},
            ERASED,
            "sanact=2",
        ),
        # Methods that the controller does not report are never tried.
        ([], {"methods": ["format_crypto"]}, NO_WAY, None),
        ([], BY_BLOCKS, NO_WAY, None),
        ([has(oacs=8, fna=4)], {}, NO_WAY, None),
        ([has(sanicap=4, oacs=0)], {}, NO_WAY, None),
        # Several controllers share the storage.
        ([has(cmic=2)], {}, ".*other controllers", None),
        # A worn drive is not erased.
        ([used(90)], {}, ERASED, "ses=1"),
        ([used(91)], {}, "it is worn: 91 % used", None),
        ([used(6)], {"wear_limit": "5"}, "it is worn: 6 % used", None),
        ([used(200)], {"wear_limit": "255"}, ERASED, "ses=1"),
        *(([used(each)], {}, UNTOLD, None) for each in (None, -1, "4", True)),
        # A namespace without a block device.
        (
            [spaces(1, 2)],
            {},
            r".*no block device for namespaces \[2\]",
            None,
        ),
        ([spaces()], {}, ".*no namespace", None),
        # The drive reports success but does not erase.
        (
            [call("format", FORMAT)],
            {},
            "[0-9]+ samples are as they were",
            "ses=1",
        ),
        (
            [call("format", FORMAT, also=ONE_IS_LEFT)],
            {},
            "1 samples are as they were before$",
            "ses=1",
        ),
        # The drive reports an error.
        (
            [call("format", INVALID, status=1)],
            {},
            ".*exit status 1: NVMe status: Inv",
            "ses=1",
        ),
        ([call("id-ctrl", "", status=1)], {}, ".*id-ctrl", None),
        # A sanitize that does not succeed.
        *(
            (
                [has(sanicap=3), call("sanitize-log", NEVER, *states)],
                {},
                said,
                "sanact=4",
            )
            for states, said in (
                ([RUNNING, FAILED], r".*sanitize did not succeed: \(3\)"),
                ([NEVER], r".*sanitize did not succeed: \(0\)"),
                (["{}"], ".*no sanitize log"),
                (['{"nvme0":{"sstat":{"status":"done"}}}'], ".*no number"),
                (
                    ['{"nvme0":{"sprog":1,"sstat":{"status":"done"}}}'],
                    ".*sanitize log says done",
                ),
                (["no JSON"], ".*prints no JSON object"),
            )
        ),
        # Another driver is bound, or no driver binds to the device.
        ([], {"driver": "lpfc"}, ".*lpfc has it", None),
        (
            [],
            {"driver": "", "refuses": "nvme"},
            ".*load the module nvme",
            None,
        ),
    ],
)
def test_a_drive(root, cli, answers, settings, said, order):
    outcome = erase(root, cli, *answers, **settings)
    assert re.match(said, outcome.said), outcome
    assert outcome.clean == (said == ERASED)
    (told,) = orders(cli) or [None]
    assert told is order or order in told
    # A device with another driver is not even queried.
    assert bool(cli.asked) == ("driver" not in settings)
    # A guest may have detached a namespace: those are listed, too.
    assert all("--all" in x for x in cli.asked if x.startswith("list-ns"))


@pytest.mark.parametrize(
    ("states", "before", "after"),
    [
        ([NEVER, *[RUNNING] * 5, SANITIZED], 1, 6),
        # The step first waits for a sanitize that is already running.
        ([RUNNING, RUNNING, SANITIZED], 3, 1),
    ],
)
def test_a_sanitize_is_waited_for(root, cli, states, before, after):
    answers = has(sanicap=3), call("sanitize-log", *states)
    outcome = erase(root, cli, *answers)
    assert outcome.clean
    # The traits of such a controller.
    assert "HW_NVME_CES, HW_NVME_BES" in outcome.evidence[1]
    verbs = [x.split()[0] for x in cli.asked if x.startswith("sanitize")]
    log = ["sanitize-log"]
    assert verbs == [*log * before, "sanitize", *log * after]


def test_a_sanitize_without_end(root, cli, monkeypatch):
    """The remaining time is shorter than the polling interval."""
    monkeypatch.setattr(nvme, "POLL", 1000.0)
    answers = has(sanicap=3), call("sanitize-log", NEVER, RUNNING)
    said = erase(root, cli, *answers).said
    assert re.search(r"does not end: \(2\) .*50 %", said)


def test_only_root_may_change_the_tool(root, cli):
    cli.path.chmod(0o777)
    assert "was not run: others can write" in erase(root, cli).said


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [("", None, 0), ("vfio-pci", "vfio-pci", 0), ("vfio-pci", "vfio-pci", 1)],
)
def test_the_driver_is_lent_and_taken_back(root, cli, before, after, status):
    """Also after a failure."""
    answer = call("id-ctrl", data("nvme-cli/id-ctrl.json"), status=status)
    assert erase(root, cli, answer, driver=before).clean == (not status)
    assert trees.driver(root) == after
    override = trees.folder(root) / "driver_override"
    assert override.read_text() == "(null)\n"


# A step that hangs, dies or starts processes is killed with all of them.


LIMIT = 0.5
DONE = Outcome(True, "done")


class Does(Step):
    """A step that calls a function and then returns an outcome."""

    name, priority, schema = "does", 1, {"type": "object"}

    def __init__(self, action=id, outcome=DONE):
        self._action, self._outcome = action, outcome

    def run(self, job):
        self._action(job)
        return self._outcome


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(step_process, "_GRACE", 0.2)


def told(path):
    """Return the PID that a process writes to a file."""
    until(lambda: path.exists() and path.read_text().strip())
    return int(path.read_text())


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (Does(hang), "did not end within 0.5 seconds, and was ended"),
        (Does(die(signal.SIGSTOP)), "did not end within"),
        (Does(die(signal.SIGKILL)), "killed by SIGKILL"),
        (Does(leave), "exit status 3"),
        (Does(leave_by_exception), "SystemExit: 3"),
        (Does(divide), "ZeroDivisionError"),
        # Invalid outcomes.
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
    isolation = Isolation()
    result = isolation.run(step, trees.job(root, limit=LIMIT))
    assert (result.clean, text in result.said) == (False, True)
    assert not isolation.stuck


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
    ("after", "limit"), [(hang, 3), (id, 10), (die(signal.SIGKILL), 10)]
)
def test_what_a_step_has_started_is_ended(root, tmp_path, after, limit):
    """Also if the step is killed and cannot end its processes itself."""

    def start(job):
        subprocess.Popen([sys.executable, "-c", GETS_AWAY, tmp_path / "pid"])
        told(tmp_path / "pid")
        after(job)

    outcome = Isolation().run(Does(start), trees.job(root, limit=limit))
    assert outcome.clean == (after is id)
    assert ended(told(tmp_path / "pid"))


def test_one_that_cannot_be_ended_is_left_and_no_step_follows(
    root, short, monkeypatch
):
    isolation, job = Isolation(), trees.job(root, limit=LIMIT)
    with monkeypatch.context() as patch:
        patch.setattr(child_process, "_kill", lambda pid: None)
        patch.setattr(child_process, "_PATIENCE", 0.05)
        first, second = (isolation.run(Does(each), job) for each in (hang, id))
    (pid,) = isolation.stuck.values()
    assert isolation.stuck == {trees.NVME: pid}
    assert f"process {pid} hangs and cannot be ended" in first.said
    assert f"not run: process {pid} of an earlier run" in second.said
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
from tests.trees import build
from tests.unit.cleaner import trees
root, program, run = sys.argv[1:]
job = trees.job(HostRoot(root), {"program": program}, limit=600)
with lock.hold(run, "device"):
    Isolation().run(installed_steps()["command"], job)
"""


def test_child_processes_hold_the_lock(tmp_path):
    """Another cleaner must not take a device while a step still runs."""
    folder = str(tmp_path / "run")
    with lock.hold(folder, "device"):
        words = {"pass_fds": lock.descriptors()}
        started = subprocess.Popen(["sleep", "60"], **words)
    held = lock.descriptors(), free(folder)
    started.kill()
    started.wait()
    assert (*held, free(folder)) == ((), False, True)


def test_processes_of_a_killed_cleaner_are_ended(root, tmp_path):
    """Including a process that has closed the file descriptor of the lock."""
    place, folder = tmp_path / "pid", str(tmp_path / "run")
    writes = f"(exec 3>&- 4>&- 5>&-; echo $BASHPID > {place}; exec sleep 600)"
    program = wipe(tmp_path, f"trap '' TERM; {writes} & wait", "#!/bin/bash")
    arguments = [str(root.root), str(program), folder]
    cleaner = subprocess.Popen([sys.executable, "-c", CHILD, *arguments])
    pid = told(place)
    cleaner.kill()
    cleaner.wait()
    assert ended(pid)
    # The processes that hold the lock are ended one after the other.
    until(lambda: free(folder))


def wipe(folder, text, head="#!/bin/sh"):
    """Write a shell script, and return its path."""
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
        # The cleaner's own environment may contain its password.
        (
            "/usr/bin/env | /usr/bin/grep -Ev '^(PWD|_)=' | /usr/bin/sort",
            20,
            OK,
            VARIABLES,
        ),
        # Output is truncated and sanitized.
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
        # The program ends with its step, also if the step is killed.
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
        # A link that other users can change.
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
    links = {
        "/theirs/true": "-> /usr/bin/true",
        "/link": f"-> {tmp_path}/theirs/true",
        "/loop": "-> loop",
    }
    build(tmp_path, links)
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
