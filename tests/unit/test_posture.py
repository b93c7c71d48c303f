# SPDX-License-Identifier: Apache-2.0
"""Refreshes of the posture that hang, and answers that come too late."""

import datetime
import threading
from concurrent import futures

import pytest

from nova_vhard.catalogue import traits
from nova_vhard.placement import posture_answers
from nova_vhard.placement.client import PlacementError, Provider
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
THREAD = (threading.Thread, "start")


class Scripted:
    """Stands for Placement: each request is one to let go, or not.

    :ivar hosts: names of the hosts that the next request is answered with
    :ivar hangs: whether it is held up until ``let_go``
    """

    def __init__(self):
        self.hosts = {"a"}
        self.hangs = False
        self.error = None
        self.asked = threading.Semaphore(0)
        self.times = 0
        self.held = []

    def known(self, names):
        return {traits.of_check("iommu"), traits.of_hour(NOW)} & names

    def providers(self, required, any_of):
        hosts, gate = set(self.hosts), threading.Event()
        self.times += 1
        if self.hangs:
            self.held.append(gate)
            self.asked.release()
            assert gate.wait(PATIENCE)
        if self.error:
            raise self.error
        return [Provider(host, host) for host in hosts]

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
    return lambda limit, connect=lambda: placement: Posture(
        connect, 60, 600, clock, limit
    )


@pytest.fixture
def posture(make):
    return make(LIMIT)


@pytest.fixture
def pool():
    with futures.ThreadPoolExecutor(posture_answers.HANGING + 1) as result:
        yield result


@pytest.fixture
def hang(placement, posture, pool):
    """Return a function that begins a refresh, which hangs by now."""

    def begin():
        placement.hangs = True
        caller = pool.submit(posture.hosts, ASKED)
        assert placement.asked.acquire(timeout=PATIENCE)
        placement.hangs = False
        return caller

    return begin


def answered(posture):
    """Wait until no refresh is under way."""
    running = list(posture._answers._running)
    for refresh in running:
        assert refresh.ended.wait(PATIENCE)


@pytest.mark.parametrize(
    "name",
    ["ATTESTED", "Attested", "IOMMU", "\u0131ommu", "reported_2026061512"],
)
def test_no_host_has_passed_what_no_check_is_called(placement, posture, name):
    every = {traits.of_check(name), traits.of_check("iommu")}
    placement.known = lambda names: {*every, traits.of_hour(NOW)}
    for names in ({name}, {name, "iommu"}):
        question = Question(frozenset(names), 2)
        assert posture.hosts(question) == frozenset()
    assert posture.hosts(ASKED) == {"a"}


def test_after_the_limit_another_takes_over(placement, posture, seconds, hang):
    # given an answer, and a refresh that hangs
    assert posture.hosts(ASKED) == {"a"}
    seconds[0] += 70
    placement.hosts = {"old"}
    first = hang()
    # when its time is not over, then the others continue without asking
    seconds[0] += LIMIT - 1
    placement.hosts = {"new"}
    assert posture.hosts(ASKED) == {"a"}
    assert placement.times == 2
    # when it is over, then the next caller asks, and all have what it got
    seconds[0] += 1
    assert posture.hosts(ASKED) == {"new"}
    assert placement.times == 3
    # and the late answer overwrites nothing
    placement.let_go()
    assert first.result() == {"new"}
    answered(posture)
    assert posture.hosts(ASKED) == {"new"}


def test_a_late_answer_is_better_than_none(placement, posture, seconds, hang):
    first = hang()
    seconds[0] += LIMIT + 1
    placement.let_go()
    assert first.result() == {"a"}
    # it is as old as its question
    seconds[0] += 600 - LIMIT
    placement.error = PlacementError("down")
    with pytest.raises(PostureUnavailable, match="601 seconds"):
        posture.hosts(ASKED)


def test_a_late_failure_changes_nothing(placement, posture, seconds, hang):
    posture.hosts(ASKED)
    seconds[0] += 70
    first = hang()
    seconds[0] += LIMIT
    assert posture.hosts(ASKED) == {"a"}
    times = placement.times
    placement.error = PlacementError("down")
    placement.let_go()
    assert first.result() == {"a"}
    answered(posture)
    # the answer is kept for its time, not asked for again after a tenth
    seconds[0] += 10
    assert posture.hosts(ASKED) == {"a"}
    assert placement.times == times


def test_who_begins_a_refresh_waits_no_longer_than_its_limit(
    placement, seconds, caplog, make
):
    # given a limit that is over at once
    posture = make(0.05)
    placement.hangs = True
    # when nobody has ever answered, then that is what is said
    with pytest.raises(PostureUnavailable, match="not answered yet"):
        posture.hosts(ASKED)
    assert "passed iommu: no answer within 0.05 seconds" in caplog.text
    # and for a while no caller waits for such a Placement
    with pytest.raises(PostureUnavailable):
        posture.hosts(ASKED)
    assert placement.times == 1
    # and then the next one tries, and gets an answer
    placement.hangs = False
    seconds[0] += 7
    assert posture.hosts(ASKED) == {"a"}
    # which holds for who has waited in vain
    placement.hangs = True
    seconds[0] += 70
    assert posture.hosts(ASKED) == {"a"}


def test_all_who_wait_for_the_first_answer_get_it(
    placement, posture, pool, hang
):
    callers = [
        hang(),
        *(pool.submit(posture.hosts, ASKED) for _ in range(3)),
    ]
    placement.let_go()
    assert [each.result() for each in callers] == [{"a"}] * 4
    assert placement.times == 1


def test_a_connection_that_hangs_is_taken_over_too(
    placement, seconds, make, pool
):
    made, gate = [], threading.Event()
    connecting = threading.Event()

    def connect():
        made.append(None)
        if len(made) == 1:
            connecting.set()
            assert gate.wait(PATIENCE)
        return placement

    posture = make(LIMIT, connect)
    first = pool.submit(posture.hosts, ASKED)
    assert connecting.wait(PATIENCE)
    seconds[0] += LIMIT
    assert posture.hosts(ASKED) == {"a"}
    gate.set()
    assert first.result() == {"a"}
    assert len(made) == 2


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
    ("place", "said"), [((Scripted, "known"), "Traceback"), (THREAD, "")]
)
def test_a_fault_of_ours_is_no_answer(
    posture, seconds, caplog, monkeypatch, place, said
):
    """Nor is there one without a thread."""

    def fail(*_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(*place, fail)
        with pytest.raises(PostureUnavailable):
            posture.hosts(ASKED)
    assert said in caplog.text
    seconds[0] += 7
    assert posture.hosts(ASKED) == {"a"}


def test_so_many_hang_at_once_and_no_more(placement, posture, seconds, hang):
    # given as many refreshes that hang as there may be
    callers = []
    for _ in range(posture_answers.HANGING):
        callers.append(hang())
        seconds[0] += LIMIT
    # when another asks, then nobody begins one more
    with pytest.raises(PostureUnavailable):
        posture.hosts(ASKED)
    assert placement.times == posture_answers.HANGING
    # and when they come to an end, the next one does
    placement.let_go()
    futures.wait(callers)
    answered(posture)
    seconds[0] += 100
    placement.hosts = {"new"}
    assert posture.hosts(ASKED) == {"new"}


@pytest.fixture
def asked(posture):
    """Return a function that asks for a check of a number."""
    return lambda number: posture.hosts(
        Question(frozenset(("iommu", f"check{number}")), 2)
    )


def test_what_nobody_has_asked_for_in_an_hour_is_dropped(
    posture, seconds, asked
):
    for number in range(10):
        asked(number)
    # when one of them alone is asked for
    for _ in range(13):
        assert posture.hosts(ASKED) == {"a"}
        seconds[0] += 301
    posture.hosts(ASKED)
    # then it is the only one that is left
    assert len(posture._answers._answers) == 1


def test_of_too_many_the_one_that_was_used_longest_ago_goes(
    placement, posture, seconds, asked
):
    for number in range(posture_answers.MOST + 20):
        seconds[0] += 0.1
        asked(number)
        posture.hosts(ASKED)
    assert len(posture._answers._answers) == posture_answers.MOST
    # the one that was used all the time has been asked for once
    times = placement.times
    posture.hosts(ASKED)
    assert placement.times == times
