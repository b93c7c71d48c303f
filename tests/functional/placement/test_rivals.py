# SPDX-License-Identifier: Apache-2.0
"""Two reporters for one host, on the real Placement.

What both find holds, and nobody writes for the sake of writing. What only
one finds is not claimed from the next report of the other on.
"""

import datetime
import logging

import pytest

from nova_vhard.catalogue import results, traits
from nova_vhard.placement import upkeep
from nova_vhard.reporter.publishers.base import PublishError
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from tests.functional.placement.test_reporter import (
    FOREIGN,
    NONE,
    NOW,
    VTD_ON,
    captures,
    conf,
    identify,
    inspect,
)

__all__ = ["captures", "conf"]
MARK = {traits.of_hour(NOW)}
#: What one of them finds, and the other does not.
DISPUTED = VTD_ON - NONE


@pytest.fixture
def host(cloud, tmp_path):
    """A host whose reporters go by its uuid."""
    made = cloud.host("compute", FOREIGN)
    identify(tmp_path, made)
    return made


@pytest.fixture
def reporter(cloud, conf, captures):
    """Make a reporter: a call that reports on a captured tree."""

    def make():
        publisher = PlacementPublisher(conf, cloud.placement)
        return lambda tree, time=NOW: publisher.publish(
            inspect(captures, tree, time)
        )

    return make


@pytest.fixture
def warnings(caplog):
    """Call to get the warnings about passed checks that are new."""
    caplog.set_level(logging.WARNING)

    def new():
        result = [each.getMessage() for each in caplog.records]
        caplog.clear()
        return [each for each in result if "CUSTOM_VHARD_" in each]

    return new


def disputed(cloud, host):
    """Return the answers that are told of checks in dispute."""
    result = results.decode(cloud.traits(host)[0])
    return {name for name in result if traits.of_check(name) in DISPUTED}


def test_with_the_same_results_nobody_fights(cloud, host, reporter, warnings):
    first, other = reporter(), reporter()
    first("vtd-on")
    before = cloud.claims(host)
    for _ in range(3):
        other("vtd-on")
        first("vtd-on")
    assert cloud.claims(host) == before
    assert before[0] == FOREIGN | VTD_ON | MARK
    assert not warnings()


def test_with_different_results_what_is_in_dispute_is_not_claimed(
    cloud, host, reporter, warnings
):
    sees, does_not = reporter(), reporter()
    sees("vtd-on")
    does_not("none")
    assert cloud.claims(host)[0] == FOREIGN | NONE | MARK
    # when both continue, their differing results are not claimed either
    sees("vtd-on")
    does_not("none")
    assert not disputed(cloud, host)
    generation = cloud.claims(host)[1]
    for _ in range(3):
        sees("vtd-on")
        does_not("none")
    # then they do not take turns
    assert cloud.claims(host) == (FOREIGN | NONE | MARK, generation)
    (warning,) = warnings()
    assert warning.startswith("compute: another reporter has taken away ")
    assert all(name in warning for name in DISPUTED)


def test_it_stays_so_when_the_hour_turns(cloud, host, reporter):
    sees, does_not = reporter(), reporter()
    sees("vtd-on")
    # when a host of any id has written the hour's mark
    later = NOW + datetime.timedelta(hours=1, minutes=29)
    does_not("none", later)
    for _ in range(2):
        sees("vtd-on", later)
        expected = FOREIGN | NONE | {traits.of_hour(later)}
        assert cloud.claims(host)[0] == expected


def test_what_somebody_removed_by_mistake_comes_back(
    cloud, host, reporter, warnings
):
    """It is written again when nobody else has written for two hours."""
    only = reporter()
    only("vtd-on")
    cloud.give(host, cloud.traits(host)[0] - DISPUTED)
    for minutes in (5, 120):
        only("vtd-on", NOW + datetime.timedelta(minutes=minutes))
        assert not DISPUTED & cloud.traits(host)[0]
    only("vtd-on", NOW + datetime.timedelta(minutes=126))
    assert cloud.traits(host)[0] >= DISPUTED
    assert len(warnings()) == 1


def test_what_another_reporter_goes_on_to_remove_does_not(
    cloud, host, reporter
):
    sees, does_not = reporter(), reporter()
    counted = []
    for minutes in range(0, 600, 30):
        later = NOW + datetime.timedelta(minutes=minutes)
        for one, tree in ((sees, "vtd-on"), (does_not, "none")):
            one(tree, later)
            counted.append(cloud.traits(host)[0] >= DISPUTED)
    # It is tried again, and stands until the next report of the other.
    assert 2 <= sum(counted) <= 5
    assert not any(counted[1::2])


def test_the_other_takes_away_what_is_given_and_says_so(
    cloud, host, reporter, warnings
):
    sees, does_not = reporter(), reporter()
    does_not("none")
    sees("vtd-on")
    # From here on until the next report of the other it counts: Placement
    # does not say who wrote what.
    assert cloud.claims(host)[0] == FOREIGN | VTD_ON | MARK
    for _ in range(3):
        does_not("none")
        assert cloud.claims(host)[0] == FOREIGN | NONE | MARK
        sees("vtd-on")
    assert cloud.claims(host)[0] == FOREIGN | NONE | MARK
    given, taken = warnings()
    assert "compute: another reporter has found " in given
    assert "another reporter has taken away" in taken


def test_when_both_find_it_again_it_is_claimed_again(
    cloud, host, reporter, warnings
):
    first, other = reporter(), reporter()
    first("vtd-on")
    other("none")
    first("vtd-on")
    other("vtd-on")
    first("vtd-on")
    assert cloud.claims(host)[0] == FOREIGN | VTD_ON | MARK
    # and it can be lost again, for one after the other
    other("none")
    first("none")
    first("vtd-on")
    assert cloud.claims(host)[0] == FOREIGN | VTD_ON | MARK
    assert len(warnings()) == 1


def test_a_reporter_that_starts_again_begins_anew(cloud, host, reporter):
    reporter()("vtd-on")
    reporter()("none")
    reporter()("vtd-on")
    assert cloud.claims(host)[0] == FOREIGN | VTD_ON | MARK


def test_a_sweep_or_an_operator_is_no_other_reporter(
    cloud, host, reporter, warnings
):
    only = reporter()
    for withdraw in (
        lambda: upkeep.withdraw(cloud.placement, host),
        lambda: upkeep.sweep(
            cloud.placement, NOW + datetime.timedelta(hours=5), 2
        ),
    ):
        only("vtd-on")
        withdraw()
        assert cloud.claims(host)[0] == FOREIGN
        warnings()
        only("vtd-on")
        assert cloud.claims(host)[0] == FOREIGN | VTD_ON | MARK
        assert not warnings()


def test_nor_is_an_answer_that_got_lost(cloud, host, reporter, warnings):
    """The write of a loss arrived, and the reporter does not know it."""
    only = reporter()
    only("vtd-on")
    lost = []

    def lose(method, url):
        if method == "PUT" and url.endswith("/traits"):
            lost.append(url)
            cloud.faults.clear()
            cloud.give(host, FOREIGN | NONE | MARK)
            raise ConnectionError("reset by peer")

    cloud.faults.append(lose)
    with pytest.raises(PublishError, match="reset by peer"):
        only("none")
    only("vtd-on")
    assert lost
    assert cloud.claims(host)[0] == FOREIGN | VTD_ON | MARK
    assert not warnings()
