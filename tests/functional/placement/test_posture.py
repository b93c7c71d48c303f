# SPDX-License-Identifier: Apache-2.0
"""Posture on the real Placement: kept, refreshed, and given up."""

import datetime
import logging
import threading
from types import SimpleNamespace

import pytest

from nova_vhard.catalogue import traits
from nova_vhard.common import log
from nova_vhard.placement.client import Placement
from nova_vhard.placement.posture import (
    Clock,
    Posture,
    PostureUnavailable,
    Question,
)
from tests.functional.placement.conftest import Answer

IOMMU = traits.of_check("iommu")
START = datetime.datetime(2026, 6, 15, 12, 30, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
ASKED = Question(frozenset(("iommu",)), 2)


class Time:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def clock(self) -> Clock:
        return Clock(
            lambda: self.seconds,
            lambda: START + datetime.timedelta(seconds=self.seconds - 1000),
        )


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def posture(cloud, time):
    made = Posture(lambda: Placement(cloud), 60, 600, time.clock())
    cloud.requests.clear()
    return made


def down(method, url):
    raise ConnectionError("unreachable")


def test_a_host_that_has_proven_it(cloud, posture):
    good = cloud.host("good", {IOMMU, traits.of_hour(START)})
    cloud.host("silent", {IOMMU})
    cloud.host("failed", {traits.of_hour(START)})
    cloud.requests.clear()
    assert posture.hosts(ASKED) == {good}
    assert len(cloud.requests) == 2


@pytest.mark.parametrize(
    ("back", "counts"),
    [(-2, False), (-1, True), (0, True), (1, True), (2, False)],
)
def test_which_hours_count(cloud, posture, back, counts):
    mark = traits.of_hour(START - back * HOUR)
    host = cloud.host("a", {IOMMU, mark})
    assert posture.hosts(ASKED) == ({host} if counts else set())


def test_a_longer_report_age(cloud, posture):
    host = cloud.host("a", {IOMMU, traits.of_hour(START - 5 * HOUR)})
    assert posture.hosts(ASKED) == set()
    assert posture.hosts(Question(ASKED.checks, 6)) == {host}


def test_names_that_do_not_exist_mean_no_host_and_no_error(cloud, posture):
    cloud.host("a", {traits.of_hour(START)})
    assert posture.hosts(ASKED) == set()
    novel = Question(frozenset(("iommu", "novel")), 2)
    assert posture.hosts(novel) == set()


def test_the_turn_of_the_hour(cloud, posture, time):
    host = cloud.host("a", {IOMMU, traits.of_hour(START)})
    for minutes in (0, 29, 31, 89):
        time.seconds = 1000 + 60 * minutes
        assert posture.hosts(ASKED) == {host}, minutes
    time.seconds = 1000 + 60 * 91
    assert posture.hosts(ASKED) == set()


def test_an_answer_is_kept_for_its_time(cloud, posture, time):
    host = cloud.host("a", {IOMMU, traits.of_hour(START)})
    assert posture.hosts(ASKED) == {host}
    cloud.give(host, ())
    cloud.requests.clear()
    time.seconds += 50
    assert posture.hosts(ASKED) == {host}
    assert not cloud.requests
    time.seconds += 20
    assert posture.hosts(ASKED) == set()


def test_without_an_answer_the_last_one_holds_until_it_is_too_old(
    cloud, posture, time, caplog
):
    host = cloud.host("a", {IOMMU, traits.of_hour(START)})
    posture.hosts(ASKED)
    cloud.faults.append(down)
    time.seconds += 590
    assert posture.hosts(ASKED) == {host}
    assert "unreachable" in caplog.text
    time.seconds += 20
    with pytest.raises(PostureUnavailable, match="not answered for 610"):
        posture.hosts(ASKED)
    cloud.faults.clear()
    time.seconds += 10
    assert posture.hosts(ASKED) == {host}


def test_a_placement_that_is_down_is_not_asked_by_every_request(
    cloud, posture, time
):
    cloud.faults.append(down)
    for _ in range(5):
        with pytest.raises(PostureUnavailable):
            posture.hosts(ASKED)
    assert len(cloud.requests) == 1
    time.seconds += 7
    with pytest.raises(PostureUnavailable):
        posture.hosts(ASKED)
    assert len(cloud.requests) == 2


@pytest.mark.parametrize(
    "fault",
    [
        lambda method, url: Answer(400, "bad"),
        lambda method, url: Answer(403, "no"),
        lambda method, url: Answer(200, "garbage"),
        lambda method, url: Answer(200, '{"traits": {}}'),
    ],
)
def test_garbage_is_no_answer(cloud, posture, fault):
    cloud.host("a", {IOMMU, traits.of_hour(START)})
    cloud.faults.append(fault)
    with pytest.raises(PostureUnavailable):
        posture.hosts(ASKED)


def test_a_client_that_cannot_be_made(cloud, time):
    posture = Posture(lambda: 1 / 0, 60, 600, time.clock())
    with pytest.raises(PostureUnavailable):
        posture.hosts(ASKED)


def test_32_callers_ask_once_and_the_first_answer_is_waited_for(
    cloud, posture
):
    host = cloud.host("a", {IOMMU, traits.of_hour(START)})
    cloud.requests.clear()
    ready = threading.Barrier(32)
    slow = threading.Event()

    def wait(method, url):
        slow.wait(0.2)

    cloud.faults.append(wait)
    result, failed = [], []

    def ask():
        ready.wait()
        try:
            result.append(posture.hosts(ASKED))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert result == [{host}] * 32
    assert len(cloud.requests) == 2


def test_others_go_on_while_one_refreshes(cloud, posture, time):
    host = cloud.host("a", {IOMMU, traits.of_hour(START)})
    posture.hosts(ASKED)
    time.seconds += 100
    asked, release = threading.Event(), threading.Event()

    def hang(method, url):
        asked.set()
        release.wait(10)

    cloud.faults.append(hang)
    single = threading.Thread(target=posture.hosts, args=(ASKED,))
    single.start()
    assert asked.wait(10)
    cloud.requests.clear()
    assert posture.hosts(ASKED) == {host}
    assert not cloud.requests
    release.set()
    single.join()


def test_a_placement_that_is_away_for_two_hours_has_three_lines(
    cloud, posture, time, caplog, monkeypatch
):
    clock = SimpleNamespace(monotonic=lambda: time.seconds)
    monkeypatch.setattr(log, "time", clock)
    caplog.set_level(logging.WARNING)
    cloud.host("a", {IOMMU, traits.of_hour(START)})
    cloud.faults.append(down)
    for _ in range(720):
        with pytest.raises(PostureUnavailable):
            posture.hosts(ASKED)
        time.seconds += 10
    cloud.faults.clear()
    assert posture.hosts(ASKED) == frozenset()
    assert [line.split(":")[0] for line in caplog.messages] == [
        *["Placement does not say which hosts have passed iommu"] * 2,
        "Placement says again which hosts have passed iommu",
    ]


def test_a_question_without_an_answer_is_named_beside_another(
    cloud, posture, time, caplog
):
    """An answer to the second one does not end the trouble of the first."""
    caplog.set_level(logging.WARNING)
    cloud.host("a", {IOMMU, traits.of_hour(START)})
    other = Question(frozenset(("vulnerabilities",)), 2)
    for _ in range(3):
        cloud.faults.append(down)
        for question in (ASKED, other):
            with pytest.raises(PostureUnavailable):
                posture.hosts(question)
        cloud.faults.clear()
        time.seconds += 10
        assert posture.hosts(other) == frozenset()
        time.seconds += 700
    said = "Placement does not say which hosts have passed"
    again = "Placement says again which hosts have passed"
    assert [line.split(":")[0] for line in caplog.messages] == [
        f"{said} iommu",
        *[f"{said} vulnerabilities", f"{again} vulnerabilities"] * 3,
    ]


def test_the_log_names_the_checks(cloud, posture, caplog):
    caplog.set_level(logging.WARNING)
    cloud.faults.append(down)
    with pytest.raises(PostureUnavailable):
        posture.hosts(ASKED)
    assert "passed iommu" in caplog.text
