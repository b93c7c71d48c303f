# SPDX-License-Identifier: Apache-2.0
"""A check that hangs or dies takes nothing else down."""

import ctypes
import faulthandler
import os
import re
import resource
import signal
import subprocess
import sys
import time

import pytest

from nova_vhard.host.check import Check, Status
from nova_vhard.host.host import Host
from nova_vhard.host.processes import child_process
from nova_vhard.host.processes.check_process import Isolation, in_process

LIMIT = 1.0


class Does(Check):
    """A check that does something and then passes."""

    def __init__(self, action=lambda: None, name="iommu"):
        self.name = name
        self._action = action

    def answer(self, host):
        host.root.note(f"pid {os.getpid()}")
        self._action()
        return Status.PASS, "done"


GOOD = Does(name="kernel_aslr")


def die(number):
    return lambda: os.kill(os.getpid(), number)


def hang():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(60)


def read_nowhere():
    # pytest's own report of the crash is of no interest.
    faulthandler.disable()
    ctypes.string_at(0)


def eat_memory():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))
    bytearray(1 << 30)


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (hang, "no answer within 1 seconds"),
        (read_nowhere, "killed by SIGSEGV"),
        (die(signal.SIGKILL), r"killed by SIGKILL \(out of memory\?\)"),
        (die(signal.SIGSTOP), "no answer within 1 seconds"),
        (lambda: os._exit(3), "exit status 3"),
        (lambda: sys.exit(3), "SystemExit: 3"),
        (lambda: 1 / 0, "ZeroDivisionError"),
        (eat_memory, "MemoryError"),
    ],
)
def test_the_one_is_unknown_and_the_others_answer(action, reason):
    bad = Does(action)
    (first, _), (second, took), (third, _) = Isolation(LIMIT).run(
        Host(), [GOOD, bad, GOOD]
    )
    assert second.status is Status.UNKNOWN
    assert second.remediation
    assert re.search(reason, second.reason)
    assert 0 <= took < 10
    assert first.status is third.status is Status.PASS


def test_checks_do_not_run_in_this_process_and_share_one_child():
    first, two = Isolation(LIMIT).run(Host(), [GOOD, GOOD])
    pids = {result.evidence for result, _ in (first, two)}
    assert len(pids) == 1
    assert pids != {(f"pid {os.getpid()}",)}


def test_the_answer_is_the_same_as_without_a_child():
    checks = [GOOD, Does(lambda: 1 / 0)]
    isolated = Isolation(LIMIT).run(Host(), checks)
    plain = in_process(Host(), checks)
    for (each, took), (other, _) in zip(isolated, plain, strict=True):
        assert each.status is other.status
        assert (each.check, each.reason) == (other.check, other.reason)
        assert each.remediation == other.remediation
        assert took >= 0


def test_the_seconds_are_those_of_the_check():
    slow = Does(lambda: time.sleep(0.2))
    (_, quick), (_, took) = Isolation(5).run(Host(), [GOOD, slow])
    assert quick < 0.2 <= took < 5


def test_each_check_has_the_whole_limit():
    slow = Does(lambda: time.sleep(LIMIT * 0.7))
    answers = Isolation(LIMIT).run(Host(), [slow, slow, slow])
    assert [each.status for each, _ in answers] == [Status.PASS] * 3


def test_a_crash_that_is_an_earlier_checks_doing_is_forgiven():
    broken = []
    corrupts = Does(lambda: broken.append(True))
    crashes = Does(lambda: broken and os._exit(1))
    answers = Isolation(LIMIT).run(Host(), [corrupts, crashes])
    assert [each.status for each, _ in answers] == [Status.PASS] * 2


def test_what_a_check_has_started_ends_with_it(tmp_path):
    pid_file = tmp_path / "pid"

    def start_and_hang():
        process = subprocess.Popen(["sleep", "60"])
        pid_file.write_text(str(process.pid))
        hang()

    Isolation(LIMIT).run(Host(), [Does(start_and_hang)])
    assert ended(int(pid_file.read_text()))


#: clone(2), whose child sends no signal when it ends.
CLONE = {"x86_64": 56, "aarch64": 220}.get(os.uname().machine)


@pytest.mark.skipif(CLONE is None, reason="the number of clone is not known")
def test_a_child_that_sends_no_signal_ends_with_it_too(tmp_path):
    pids = tmp_path / "pids"

    def start_silently():
        pid = ctypes.CDLL(None).syscall(CLONE, 0, 0, 0, 0, 0)
        if not pid:
            while True:
                time.sleep(60)
        pids.write_text(str(pid))

    # The next check is answered by the same child, so that it still runs.
    done = Isolation(LIMIT * 20).run(Host(), [Does(start_silently), GOOD])
    assert [result.status for result, _ in done] == [Status.PASS] * 2
    assert ended(int(pids.read_text()))


def ended(pid):
    """Return True if a process is gone, or is a zombie."""
    for _ in range(100):
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_a_child_that_cannot_be_killed_is_left_and_not_asked_again(
    monkeypatch,
):
    # As in uninterruptible sleep: SIGKILL does nothing to the first.
    isolation = Isolation(LIMIT)
    spared = []
    kill, wait = child_process._kill, child_process._wait

    def spare(pid):
        if spared:
            kill(pid)
        else:
            spared.append(pid)

    with monkeypatch.context() as patch:
        patch.setattr(child_process, "_kill", spare)
        patch.setattr(
            child_process, "_wait", lambda pid: pid not in spared and wait(pid)
        )
        bad = Does(hang)
        first = isolation.run(Host(), [bad, GOOD])
    (pid,) = isolation.stuck.values()
    assert isolation.stuck == {"iommu": pid}
    second = isolation.run(Host(), [bad, GOOD])
    for answers in (first, second):
        assert [each.status for each, _ in answers] == [
            Status.UNKNOWN,
            Status.PASS,
        ]
    assert f"process {pid} of an earlier time hangs" in second[0][0].reason
    os.kill(pid, signal.SIGKILL)
    assert ended(pid)
    assert not isolation.stuck
    ((again, _),) = isolation.run(Host(), [Does()])
    assert again.status is Status.PASS


class Interrupted(BaseException):
    pass


def children():
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return {int(each) for each in file.read().split()}


def test_an_interrupted_wait_leaves_no_child():
    seen = set()
    before = children()

    def interrupt():
        seen.update(children() - before)
        if seen:
            raise Interrupted

    begun = time.monotonic()
    with pytest.raises(Interrupted):
        Isolation(60, interrupt).run(Host(), [Does(hang)])
    assert time.monotonic() - begun < 10
    assert all(ended(pid) for pid in seen)


def test_an_answer_without_end_is_cut_off(monkeypatch):
    monkeypatch.setattr(child_process, "LIMIT", 1 << 17)

    class Talks(Check):
        name = "iommu"

        def answer(self, host):
            return Status.PASS, "x" * (1 << 20)

    (first, _), (two, _) = Isolation(5).run(Host(), [Talks(), GOOD])
    assert first.status is Status.UNKNOWN
    assert "longer than" in first.reason
    assert two.status is Status.PASS


def test_evidence_arrives_as_it_was():
    class Evident(Check):
        name = "iommu"

        def answer(self, host):
            host.root.note("a\nb", "\udcff", "ü", *map(str, range(99)))
            return Status.PASS, 'line\n "two"'

    ((isolated, _),) = Isolation(LIMIT).run(Host(), [Evident()])
    ((plain, _),) = in_process(Host(), [Evident()])
    assert isolated == plain


def test_without_a_process_every_check_is_unknown(monkeypatch):
    def refuse():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    before = len(os.listdir("/proc/self/fd"))
    answers = Isolation(LIMIT).run(Host(), [GOOD, GOOD])
    assert {each.status for each, _ in answers} == {Status.UNKNOWN}
    assert "temporarily unavailable" in answers[0][0].reason
    assert len(os.listdir("/proc/self/fd")) == before


def own_children():
    """Return the processes that this one has started, or has to wait for."""
    result = set()
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/children") as file:
            result.update(file.read().split())
    return result


def test_no_descriptor_and_no_child_is_left():
    before = len(os.listdir("/proc/self/fd"))
    children = own_children()
    isolation = Isolation(LIMIT)
    isolation.run(Host(), [GOOD, Does(read_nowhere), Does(hang)])
    assert len(os.listdir("/proc/self/fd")) == before
    assert own_children() <= children


def test_a_child_whose_parent_does_not_end_it_ends_by_itself(monkeypatch):
    monkeypatch.setattr(child_process, "GRACE", 0.0)

    def answers():
        time.sleep(60)
        yield 1

    running = child_process.Forked(answers, "check", 0.2, lambda: None)
    assert ended(running.pid)
    assert running.end() is None


def test_a_child_leaves_no_core_and_goes_first_when_memory_is_short():
    class Tells(Check):
        name = "iommu"

        def answer(self, host):
            host.root.note(str(resource.getrlimit(resource.RLIMIT_CORE)))
            host.root.read("/proc/self/oom_score_adj")
            return Status.PASS, "done"

    ((single, _),) = Isolation(LIMIT).run(Host(), [Tells()])
    assert single.evidence == ("(0, 0)", "/proc/self/oom_score_adj: 1000")


def test_what_starts_a_large_program_is_asked_first_and_told_in_its_place(
    tmp_path,
):
    seen = tmp_path / "seen"

    def writes(name, early=False):
        def note():
            with seen.open("a") as file:
                file.write(f"{name} ")

        check = Does(note, name)
        check.early = early
        return check

    checks = [writes("iommu"), writes("smt"), writes("qemu_minimal", True)]
    results = Isolation(LIMIT).run(Host(), checks)
    assert [result.check for result, _ in results] == [
        "iommu",
        "smt",
        "qemu_minimal",
    ]
    assert seen.read_text() == "qemu_minimal iommu smt "
