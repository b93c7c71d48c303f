# SPDX-License-Identifier: Apache-2.0
"""Refreshes of the posture that hang, and answers that come too late."""

import datetime
import threading
from concurrent import futures
from unittest import mock

import pytest

from nova_vhard.catalogue import traits
from nova_vhard.placement import client, posture_answers
from nova_vhard.placement.posture import (
    Clock,
    Posture,
    PostureUnavailable,
    Question,
)

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
def make(placement, seconds):
    """Return a function that makes a posture."""
    clock = Clock(lambda: seconds[0], lambda: NOW)
    return lambda limit: Posture(placement.connect, 60, 600, clock, limit)


@pytest.fixture
def posture(make):
    return make(LIMIT)


@pytest.fixture
def pool():
    with futures.ThreadPoolExecutor(posture_answers.HANGING + 1) as result:
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


ABOUT = posture_answers.MOST + 20
#: Limit, and steps: an action or assertion with its argument.
SCENARIOS = {
    "another takes over after the limit": (
        LIMIT,
        [
            # given a cached response, and a refresh that hangs
            *(
                ("ask", {"a"}),
                ("later", 70),
                ("hosts", {"old"}),
                ("hang", "request"),
            ),
            # before its limit, other callers do not send a request
            *(("later", LIMIT - 1), ("hosts", {"new"}), ("ask", {"a"})),
            ("times", 2),
            # after the limit, the next caller does, and all use the response
            *(("later", 1), ("ask", {"new"}), ("times", 3)),
            # and the late response overwrites nothing
            *(("end", {"new"}), ("ask", {"new"})),
        ],
    ),
    "a late answer is better than none": (
        LIMIT,
        [
            *(("hang", "request"), ("later", LIMIT + 1), ("end", {"a"})),
            # the age of a response is that of its request
            *(("later", 600 - LIMIT), ("down", client.PlacementError("down"))),
            ("unknown", "601 seconds"),
        ],
    ),
    "a late failure changes nothing": (
        LIMIT,
        [
            *(
                ("ask", {"a"}),
                ("later", 70),
                ("hang", "request"),
                ("later", LIMIT),
            ),
            *(("ask", {"a"}), ("times", 3)),
            *(("down", client.PlacementError("down")), ("end", {"a"})),
            # the response is cached for the full time, not refreshed after a
            # tenth of it
            *(("later", 10), ("ask", {"a"}), ("times", 3)),
        ],
    ),
    "who begins a refresh waits no longer than its limit": (
        # a limit that is over at once
        0.05,
        [
            *(("hangs", "request"), ("unknown", "not answered yet")),
            ("logged", "passed iommu: no answer within 0.05 seconds"),
            # for a while, no caller waits for a Placement that hangs
            *(("unknown", "."), ("times", 1)),
            # then the next caller tries, and gets a response
            *(("hangs", ""), ("later", 7), ("ask", {"a"})),
            # which callers that waited in vain can use
            *(("hangs", "request"), ("later", 70), ("ask", {"a"})),
        ],
    ),
    "a connection that hangs is taken over too": (
        LIMIT,
        [
            *(("hang", "connect"), ("later", LIMIT), ("ask", {"a"})),
            *(("end", {"a"}), ("connects", 2)),
        ],
    ),
    "all who wait for the first answer get it": (
        LIMIT,
        [("hang", "request"), ("wait", 3), ("end", {"a"}), ("times", 1)],
    ),
    "so many hang at once and no more": (
        LIMIT,
        [
            *(("hang", "request"), ("later", LIMIT)) * posture_answers.HANGING,
            *(("unknown", "."), ("times", posture_answers.HANGING)),
            # when they end, the next request is sent
            *(("end", None), ("later", 100), ("hosts", {"new"})),
            ("ask", {"new"}),
        ],
    ),
    "what nobody has asked for in an hour is dropped": (
        LIMIT,
        [
            *(("about", number) for number in range(10)),
            *(("ask", {"a"}), ("later", 301)) * 13,
            *(("ask", {"a"}), ("kept", 1)),
        ],
    ),
    "of too many the one that was used longest ago goes": (
        LIMIT,
        [
            *(
                step
                for number in range(ABOUT)
                for step in (
                    *(("later", 0.1), ("about", number), ("ask", {"a"})),
                )
            ),
            # the response that was used all the time was requested once
            *(("kept", posture_answers.MOST), ("times", 1)),
        ],
    ),
}


@pytest.mark.parametrize(("limit", "steps"), SCENARIOS.values(), ids=SCENARIOS)
def test_answers_that_come_late(
    placement, seconds, caplog, make, pool, limit, steps
):
    posture, callers = make(limit), []
    for step, value in steps:
        match step:
            case "ask":
                assert posture.hosts(ASKED) == value
            case "unknown":
                with pytest.raises(PostureUnavailable, match=value):
                    posture.hosts(ASKED)
            case "about":
                posture.hosts(
                    Question(frozenset(("iommu", f"check{value}")), 2)
                )
            case "hang":
                placement.hangs = value
                callers.append(pool.submit(posture.hosts, ASKED))
                assert placement.asked.acquire(timeout=PATIENCE)
                placement.hangs = ""
            case "wait":
                callers += [
                    pool.submit(posture.hosts, ASKED) for _ in range(value)
                ]
            case "end":
                placement.let_go()
                futures.wait(callers)
                for refresh in list(posture._answers._running):
                    assert refresh.ended.wait(PATIENCE)
                for each in callers if value else ():
                    assert each.result() == value
            case "later":
                seconds[0] += value
            case "times" | "connects":
                assert getattr(placement, step) == value
            case "kept":
                assert len(posture._answers._answers) == value
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
