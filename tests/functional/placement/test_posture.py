# SPDX-License-Identifier: Apache-2.0
"""Posture on the real Placement: kept, refreshed, and given up.

unit/test_posture.py has callers that ask at once, and requests that hang.
"""

import logging
from types import SimpleNamespace

import pytest

from nova_vhard.catalogue import traits
from nova_vhard.common import log
from nova_vhard.placement.posture import (
    Posture,
    PostureUnavailable,
    Question,
)
from tests.functional.placement.conftest import Answer
from tests.functional.placement.reports import HOUR, IOMMU, MARK, NOW

ASKED = Question(frozenset(("iommu",)), 2)
OTHER = Question(frozenset(("vulnerabilities",)), 2)


def down(method, url):
    raise ConnectionError("unreachable")


@pytest.fixture
def good(cloud):
    """Return a host that has proven it."""
    return cloud.host("good", {IOMMU, *MARK})


def test_a_host_that_has_proven_it(cloud, good, posture):
    cloud.host("silent", {IOMMU})
    cloud.host("failed", MARK)
    cloud.requests.clear()
    assert posture.hosts(ASKED) == {good}
    assert len(cloud.requests) == 2
    novel = Question(frozenset(("iommu", "novel")), 2)
    assert posture.hosts(novel) == set()


@pytest.mark.parametrize(
    ("back", "age", "counts"),
    [
        (-2, 2, False),
        (-1, 2, True),
        (0, 2, True),
        (1, 2, True),
        (2, 2, False),
        (5, 2, False),
        (5, 6, True),
    ],
)
def test_which_hours_count(cloud, posture, back, age, counts):
    host = cloud.host("a", {IOMMU, traits.of_hour(NOW - back * HOUR)})
    question = Question(ASKED.checks, age)
    assert posture.hosts(question) == ({host} if counts else set())


def test_names_that_do_not_exist_mean_no_host_and_no_error(cloud, posture):
    cloud.host("a", MARK)
    assert posture.hosts(ASKED) == set()


def test_the_turn_of_the_hour(good, posture, time):
    for minutes in (0, 29, 31, 89, 91):
        time.seconds = 1000 + 60 * minutes
        expected = {good} if minutes < 90 else set()
        assert posture.hosts(ASKED) == expected, minutes


def test_an_answer_is_kept_for_its_time(cloud, good, posture, time):
    assert posture.hosts(ASKED) == {good}
    cloud.give(good, ())
    cloud.requests.clear()
    time.seconds += 50
    assert posture.hosts(ASKED) == {good}
    assert not cloud.requests
    time.seconds += 20
    assert posture.hosts(ASKED) == set()


def test_without_an_answer_the_last_one_holds_until_it_is_too_old(
    cloud, good, posture, time
):
    posture.hosts(ASKED)
    cloud.faults.append(down)
    time.seconds += 590
    assert posture.hosts(ASKED) == {good}
    time.seconds += 20
    with pytest.raises(PostureUnavailable, match="not answered for 610"):
        posture.hosts(ASKED)
    cloud.faults.clear()
    time.seconds += 10
    assert posture.hosts(ASKED) == {good}


def test_a_placement_that_is_down_is_not_asked_by_every_request(
    cloud, posture, time
):
    cloud.faults.append(down)
    for requests in (1, 1, 1, 2):
        time.seconds += 7 * (requests - 1)
        with pytest.raises(PostureUnavailable):
            posture.hosts(ASKED)
        assert len(cloud.requests) == requests


@pytest.mark.parametrize(
    ("status", "text"),
    [(400, "bad"), (403, "no"), (200, "garbage"), (200, '{"traits": {}}')],
)
def test_garbage_is_no_answer(cloud, good, posture, status, text):
    cloud.faults.append(lambda method, url: Answer(status, text))
    with pytest.raises(PostureUnavailable):
        posture.hosts(ASKED)


def test_a_client_that_cannot_be_made(time):
    posture = Posture(lambda: 1 / 0, 60, 600, time.clock())
    with pytest.raises(PostureUnavailable):
        posture.hosts(ASKED)


def test_a_placement_that_is_away_for_two_hours_has_three_lines(
    cloud, good, posture, time, caplog, monkeypatch
):
    clock = SimpleNamespace(monotonic=lambda: time.seconds)
    monkeypatch.setattr(log, "time", clock)
    caplog.set_level(logging.WARNING)
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
    cloud, good, posture, time, caplog
):
    """An answer to the second one does not end the trouble of the first."""
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        cloud.faults.append(down)
        for question in (ASKED, OTHER):
            with pytest.raises(PostureUnavailable):
                posture.hosts(question)
        cloud.faults.clear()
        time.seconds += 10
        assert posture.hosts(OTHER) == frozenset()
        time.seconds += 700
    said = "Placement does not say which hosts have passed"
    again = "Placement says again which hosts have passed"
    assert [line.split(":")[0] for line in caplog.messages] == [
        f"{said} iommu",
        *[f"{said} vulnerabilities", f"{again} vulnerabilities"] * 3,
    ]
