# SPDX-License-Identifier: Apache-2.0
"""Refreshes of the posture that hang, and answers that come too late."""

import datetime
import threading
from concurrent import futures
from unittest import mock

import pytest

from nova_vhard.catalogue import traits
from nova_vhard.placement import client
from nova_vhard.placement import posture as of_posture
from nova_vhard.placement.posture import (
    Clock,
    Posture,
    PostureUnavailable,
    Question,
)
from tests.unit.helpers import never

NOW = datetime.datetime(2026, 6, 15, 12, 30, tzinfo=datetime.UTC)
ASKED = Question(frozenset(("iommu",)), 2)
LIMIT = 30
#: Seconds after which what does not happen counts as missing.
PATIENCE = 60


class Scripted:
    """Stands for Placement: each request is one to let go, or not.

    :ivar hosts: names of the hosts that the next request is answered with
    :ivar hangs: the step that waits until ``let_go``: request or connect
    """

    def __init__(self):
        self.hosts = {"a"}
        self.hangs = ""
        self.error = None
        self.asked = threading.Semaphore(0)
        self.times = self.connects = 0
        self.held = []

    def hang(self, what):
        if self.hangs == what:
            gate = threading.Event()
            self.held.append(gate)
            self.asked.release()
            assert gate.wait(PATIENCE)

    def connect(self):
        self.connects += 1
        self.hang("connect")
        return self

    def known(self, names):
        return {traits.of_check("iommu"), traits.of_hour(NOW)} & names

    def providers(self, required, any_of):
        hosts = set(self.hosts)
        self.times += 1
        self.hang("request")
        if self.error:
            raise self.error
        return [client.Provider(host, host) for host in hosts]

    def let_go(self):
        for gate in self.held:
            gate.set()


@pytest.fixture
def placement():
    made = Scripted()
    yield made
    made.let_go()


@pytest.fixture
def seconds():
    return [1000.0]


@pytest.fixture
def posture(placement, seconds):
    clock = Clock(lambda: seconds[0], lambda: NOW, never)
    return Posture(placement.connect, 60, 600, clock, LIMIT)


@pytest.fixture
def pool():
    with futures.ThreadPoolExecutor(4) as result:
        yield result


@pytest.mark.parametrize(
    "name",
    ["ATTESTED", "Attested", "IOMMU", "\u0131ommu", "reported_2026061512"],
)
def test_no_host_has_passed_what_no_check_is_called(placement, posture, name):
    every = {traits.of_check(name), traits.of_check("iommu")}
    placement.known = lambda names: {*every, traits.of_hour(NOW)}
    for names in ({name}, {name, "iommu"}):
        assert posture.hosts(Question(frozenset(names), 2)) == frozenset()
    assert posture.hosts(ASKED) == {"a"}


#: Steps: an action or assertion with its argument.
SCENARIOS = {
    "an answer is used while it counts, whatever hangs": [
        *(("ask", {"a"}), ("later", 70), ("hosts", {"old"})),
        # the refresh that this caller begins hangs; its caller does not wait
        *(("hang", "request"), ("ask", {"a"})),
        # before its limit, other callers begin none
        *(("later", LIMIT - 1), ("hosts", {"new"}), ("ask", {"a"})),
        ("times", 2),
        # then it is given up, and the next caller begins another
        *(("later", 1), ("begin", None), ("settled", None), ("times", 3)),
        ("logged", "passed iommu: no answer within 30 seconds"),
        # and the late answer overwrites nothing
        *(("ask", {"new"}), ("end", None), ("ask", {"new"})),
    ],
    "a late answer is better than none": [
        *(("hang", "request"), ("later", LIMIT + 1), ("end", {"a"})),
        # the age of an answer is that of its request
        *(("later", 600 - LIMIT), ("down", client.PlacementError("down"))),
        ("unknown", "601 seconds"),
    ],
    "a late failure changes nothing": [
        *(("ask", {"a"}), ("later", 70), ("hang", "request")),
        *(("later", LIMIT), ("begin", None), ("settled", None)),
        *(("times", 3), ("down", client.PlacementError("down"))),
        # the answer is kept for the full time, not for a tenth of it
        *(("end", None), ("later", 10), ("ask", {"a"}), ("times", 3)),
    ],
    "without an answer a caller waits for a while": [
        *(("patience", 0.05), ("hangs", "request")),
        *(("unknown", "not answered yet"), ("unknown", "."), ("times", 1)),
        # another is begun only when the first is given up
        *(("patience", PATIENCE), ("hangs", ""), ("later", LIMIT)),
        *(("ask", {"a"}), ("times", 2)),
    ],
    "an answer that counts no more is waited for": [
        *(("ask", {"a"}), ("later", 601), ("hosts", {"new"})),
        ("ask", {"new"}),
    ],
    "a connection that hangs is given up too": [
        *(("hang", "connect"), ("later", LIMIT), ("ask", {"a"})),
        *(("end", {"a"}), ("connects", 2)),
    ],
    "all who wait for the first answer get it": [
        *(("hang", "request"), ("wait", 3), ("end", {"a"}), ("times", 1)),
    ],
    "who must not wait gets what is there": [
        *(("hangs", "request"), ("no wait", None), ("times", 1)),
        *(("end", None), ("no wait", {"a"})),
    ],
}


@pytest.mark.parametrize("steps", SCENARIOS.values(), ids=SCENARIOS)
def test_answers_that_come_late(
    placement, seconds, caplog, monkeypatch, posture, pool, steps
):
    monkeypatch.setattr(of_posture, "WAIT", PATIENCE)
    callers = []
    for step, value in steps:
        match step:
            case "ask":
                assert posture.hosts(ASKED) == value
            case "begin":
                # The answer that was there, or the new one already.
                posture.hosts(ASKED)
            case "unknown":
                with pytest.raises(PostureUnavailable, match=value):
                    posture.hosts(ASKED)
            case "no wait" if value is None:
                with pytest.raises(PostureUnavailable, match="not answered"):
                    posture.hosts(ASKED, wait=False)
                assert placement.asked.acquire(timeout=PATIENCE)
            case "no wait":
                assert posture.hosts(ASKED, wait=False) == value
            case "patience":
                monkeypatch.setattr(of_posture, "WAIT", value)
            case "hang":
                placement.hangs = value
                callers.append(pool.submit(posture.hosts, ASKED))
                assert placement.asked.acquire(timeout=PATIENCE)
                placement.hangs = ""
            case "wait":
                callers += [
                    pool.submit(posture.hosts, ASKED) for _ in range(value)
                ]
            case "settled":
                assert posture._answers[ASKED].ended.wait(PATIENCE)
            case "end":
                placement.let_go()
                for thread in threading.enumerate():
                    if thread.name == "vhard-posture":
                        thread.join(PATIENCE)
                for each in callers if value else ():
                    assert each.result(PATIENCE) == value
            case "later":
                seconds[0] += value
            case "times" | "connects":
                assert getattr(placement, step) == value
            case "logged":
                assert value in caplog.text
            case "hosts" | "hangs":
                setattr(placement, step, value)
            case "down":
                placement.error = value


def test_no_request_begins_after_the_limit(placement, posture, seconds):
    real = placement.known

    def slow(names):
        seconds[0] += LIMIT
        return real(names)

    placement.known = slow
    with pytest.raises(PostureUnavailable):
        posture.hosts(ASKED)
    assert placement.times == 0


@pytest.mark.parametrize(
    ("place", "said"),
    [((Scripted, "known"), "Traceback"), ((threading.Thread, "start"), "")],
)
def test_a_fault_of_ours_is_no_answer(
    posture, seconds, caplog, monkeypatch, place, said
):
    """Nor is there one without a thread."""

    fault = mock.Mock(side_effect=RuntimeError("can't start new thread"))
    with monkeypatch.context() as patch:
        patch.setattr(*place, fault)
        with pytest.raises(PostureUnavailable):
            posture.hosts(ASKED)
    assert said in caplog.text
    seconds[0] += 7
    assert posture.hosts(ASKED) == {"a"}


def test_a_question_is_asked_again_while_it_is_needed(placement, seconds):
    sleeps, wake = threading.Semaphore(0), threading.Semaphore(0)
    threads = []

    def sleep(pause):
        assert pause == pytest.approx(66)
        threads.append(threading.current_thread())
        sleeps.release()
        if not wake.acquire(timeout=PATIENCE):
            raise SystemExit

    clock = Clock(lambda: seconds[0], lambda: NOW, sleep)
    posture = Posture(placement.connect, 60, 600, clock, LIMIT)
    assert posture.hosts(ASKED) == {"a"}
    placement.hosts = {"b"}
    for times in range(1, 10):
        assert sleeps.acquire(timeout=PATIENCE)
        assert placement.times == times
        seconds[0] += 66
        wake.release()
    # The first request after a pause, without a refresh of its own.
    assert sleeps.acquire(timeout=PATIENCE)
    assert posture.hosts(ASKED) == {"b"}
    assert placement.times == 10
    for _ in range(9):
        seconds[0] += 66
        wake.release()
        assert sleeps.acquire(timeout=PATIENCE)
    # Nobody has asked for longer than an answer counts.
    seconds[0] += 66
    placement.hangs = "request"
    wake.release()
    threads[-1].join(PATIENCE)
    assert not threads[-1].is_alive()
    assert placement.times == 19
    with pytest.raises(PostureUnavailable, match="not answered yet"):
        posture.hosts(ASKED, wait=False)
