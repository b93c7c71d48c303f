# SPDX-License-Identifier: Apache-2.0
"""A check that hangs or dies takes nothing else down."""

import contextlib
import ctypes
import faulthandler
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import time
from unittest import mock

import pytest

from nova_vhard.host.check import Check, Status
from nova_vhard.host.host import Host
from nova_vhard.host.processes import child_process
from nova_vhard.host.processes.check_process import Isolation, in_process

LIMIT = 1.0
PASSES, UNKNOWN = Status.PASS, Status.UNKNOWN


class Does(Check):
    """A check that does something, with its host, and then passes."""

    def __init__(self, action=id, name="iommu", reason="done"):
        self.name, self._action, self._reason = name, action, reason

    def answer(self, host):
        self._action(host)
        return Status.PASS, self._reason


GOOD = Does(name="kernel_aslr")


def tell_pid(host):
    host.root.note(f"pid {os.getpid()}")


def die(number):
    return lambda host: os.kill(os.getpid(), number)


def hang(host=None):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(60)


def read_nowhere(host):
    # pytest's own report of the crash is of no interest.
    faulthandler.disable()
    ctypes.string_at(0)


def eat_memory(host):
    resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))
    bytearray(1 << 30)


def leave(host):
    os._exit(3)


def leave_by_exception(host):
    sys.exit(3)


def divide(host):
    host.root.note("a fact")
    return 1 / 0


def run(*checks, limit=LIMIT):
    return Isolation(limit).run(Host(), checks)


def statuses(answers):
    return [result.status for result, _ in answers]


def children():
    """Return the processes that this one has to wait for."""
    result = set()
    for task in os.listdir("/proc/self/task"):
        # A thread of an earlier test may end between the two.
        with contextlib.suppress(FileNotFoundError):
            path = pathlib.Path(f"/proc/self/task/{task}/children")
            result.update(path.read_text().split())
    return result


def descriptors():
    """Return what this process has open: {(place, what it is of)}."""
    result = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            place = f"/proc/self/fd/{number}"
            result.add((place, os.readlink(place)))
    return result


def ended(pid):
    """Return True if a process is gone, or is a zombie."""
    for _ in range(300):
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] in "ZX":
                    return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def nothing_left():
    """Check that no descriptor and no child is left.

    What an earlier test has left open may be closed in the meantime.
    """
    opened, before = descriptors(), children()
    yield
    assert descriptors() <= opened
    assert children() <= before


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (hang, "no answer within 1 seconds"),
        (read_nowhere, "killed by SIGSEGV"),
        (die(signal.SIGKILL), r"killed by SIGKILL \(out of memory\?\)"),
        (die(signal.SIGSTOP), "no answer within 1 seconds"),
        (leave, "exit status 3"),
        (leave_by_exception, "SystemExit: 3"),
        (divide, "ZeroDivisionError"),
        (eat_memory, "MemoryError"),
    ],
)
def test_the_one_is_unknown_and_the_others_answer(
    nothing_left, action, reason
):
    answers = run(GOOD, Does(action), GOOD)
    assert statuses(answers) == [PASSES, UNKNOWN, PASSES]
    assert answers[1][0].remediation
    assert re.search(reason, answers[1][0].reason)


def test_checks_do_not_run_in_this_process_and_share_one_child():
    (first, _), (two, _) = run(Does(tell_pid), Does(tell_pid))
    assert first.evidence == two.evidence != (f"pid {os.getpid()}",)


def test_the_answer_is_the_same_as_without_a_child():
    def note(host):
        host.root.note("a\nb", "\udcff", "ü", *map(str, range(99)))

    checks = [Does(note, reason='line\n "two"'), Does(divide)]
    isolated, plain = run(*checks), in_process(Host(), checks)
    assert statuses(plain) == [PASSES, UNKNOWN]
    assert [each for each, _ in isolated] == [each for each, _ in plain]
    assert plain[1][0].evidence == ("a fact",)


def test_each_check_has_the_whole_limit_and_its_own_seconds():
    slow = Does(lambda host: time.sleep(LIMIT * 0.7))
    answers = run(GOOD, slow, slow)
    assert statuses(answers) == [PASSES] * 3
    assert [took >= LIMIT * 0.7 for _, took in answers] == [False, True, True]


def test_a_crash_that_is_an_earlier_checks_doing_is_forgiven():
    broken = []
    corrupts = Does(broken.append)
    crashes = Does(lambda host: broken and os._exit(1))
    assert statuses(run(corrupts, crashes)) == [PASSES] * 2


def test_what_a_check_has_started_ends_with_it(tmp_path):
    pid_file = tmp_path / "pid"

    def start_and_hang(host):
        process = subprocess.Popen(["sleep", "60"])
        pid_file.write_text(str(process.pid))
        hang()

    run(Does(start_and_hang))
    assert ended(pid_file.read_text())


#: clone(2), whose child sends no signal when it ends.
CLONE = {"x86_64": 56, "aarch64": 220}.get(os.uname().machine)


@pytest.mark.skipif(CLONE is None, reason="the number of clone is not known")
def test_a_child_that_sends_no_signal_ends_with_it_too(tmp_path):
    pids = tmp_path / "pids"

    def start_silently(host):
        pid = ctypes.CDLL(None).syscall(CLONE, 0, 0, 0, 0, 0)
        if not pid:
            hang()
        pids.write_text(str(pid))

    # The next check is answered by the same child, so that it still runs.
    done = run(Does(start_silently), GOOD, limit=LIMIT * 20)
    assert statuses(done) == [PASSES] * 2
    assert ended(pids.read_text())


def test_a_child_that_cannot_be_killed_is_left_and_not_asked_again(
    monkeypatch,
):
    # As in uninterruptible sleep: SIGKILL does nothing.
    isolation, checks = Isolation(LIMIT), [Does(hang), GOOD]
    with monkeypatch.context() as patch:
        patch.setattr(child_process, "_kill", lambda pid: None)
        patch.setattr(child_process, "_PATIENCE", 1.0)
        first = isolation.run(Host(), checks)
    (pid,) = isolation.stuck.values()
    assert isolation.stuck == {"iommu": pid}
    second = isolation.run(Host(), checks)
    assert statuses(first) == statuses(second) == [UNKNOWN, PASSES]
    assert f"process {pid} of an earlier run hangs" in second[0][0].reason
    os.kill(pid, signal.SIGKILL)
    assert ended(pid)
    assert not isolation.stuck
    assert statuses(isolation.run(Host(), [Does()])) == [PASSES]


def test_an_interrupted_wait_leaves_no_child(nothing_left):
    before = children()

    def interrupt():
        if children() - before:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Isolation(60, interrupt).run(Host(), [Does(hang)])


def test_an_answer_without_end_is_cut_off(monkeypatch):
    monkeypatch.setattr(child_process, "LIMIT", 1 << 17)
    answers = run(Does(reason="x" * (1 << 20)), GOOD, limit=5)
    assert statuses(answers) == [UNKNOWN, PASSES]
    assert "longer than" in answers[0][0].reason


def test_without_a_process_every_check_is_unknown(monkeypatch, nothing_left):
    error = BlockingIOError(11, "Resource temporarily unavailable")
    monkeypatch.setattr(os, "fork", mock.Mock(side_effect=error))
    answers = run(GOOD, GOOD)
    assert statuses(answers) == [UNKNOWN] * 2
    assert "temporarily unavailable" in answers[0][0].reason


def test_a_child_whose_parent_does_not_end_it_ends_by_itself(monkeypatch):
    monkeypatch.setattr(child_process, "GRACE", 0.0)

    def answers():
        time.sleep(60)
        yield 1

    running = child_process.Forked(answers, "check", 0.2, dict)
    assert ended(running.pid)
    assert running.end() is None


def test_a_child_leaves_no_core_and_goes_first_when_memory_is_short():
    def tell(host):
        host.root.note(str(resource.getrlimit(resource.RLIMIT_CORE)))
        host.root.read("/proc/self/oom_score_adj")

    ((result, _),) = run(Does(tell))
    assert result.evidence == ("(0, 0)", "/proc/self/oom_score_adj: 1000")


def test_what_starts_a_large_program_is_asked_first_and_told_in_its_place():
    def note(host):
        host.root.note(f"{time.monotonic():020.6f}")

    checks = [Does(note, name) for name in ("iommu", "smt", "qemu_minimal")]
    checks[2].early = True
    results = [result for result, _ in run(*checks)]
    order = sorted(results, key=lambda result: result.evidence)
    names = [[each.check for each in told] for told in (results, order)]
    assert names == [
        ["iommu", "smt", "qemu_minimal"],
        ["qemu_minimal", "iommu", "smt"],
    ]
