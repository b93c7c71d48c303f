# SPDX-License-Identifier: Apache-2.0
"""Two reporters for one host, on the real Placement.

What both find holds, and nobody writes for the sake of writing. What only
one finds is not claimed from the next report of the other on.
"""

import logging

import pytest

from nova_vhard.catalogue import results, traits
from nova_vhard.placement import upkeep
from nova_vhard.reporter.publishers.base import PublishError
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from tests.functional.placement.reports import (
    FOREIGN,
    HOUR,
    MARK,
    NONE,
    NOW,
    VTD_ON,
    inspect,
)

#: What one of them finds, and the other does not.
DISPUTED = VTD_ON - NONE


@pytest.fixture
def reporter(cloud, conf):
    """Make a reporter: a call that reports on a captured tree."""

    def make():
        publisher = PlacementPublisher(conf, cloud.placement)
        return lambda tree, time=NOW: publisher.publish(inspect(tree, time))

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


#: What happens, and the warnings. ``a+1``: reporter a finds what is in dispute
#: (or not: ``-``), and it is claimed then (or not: 0; ? is not looked at).
#: ``@5``: it is five minutes after the first report. ``x``: a user removes it.
RIVALS = {
    "the same results": ("a+1 b+1 a+1 b+1 a+1", []),
    "when the hour turns": ("a+1 @89 b-0 a+0 a+0", ["taken away"]),
    # It is written again when no other has written for two hours.
    "removed by mistake": (
        "a+1 x @5 a+0 @120 a+0 @126 a+1",
        ["taken away"],
    ),
    # From the one report until the next one of the other it counts: Placement
    # does not say who wrote what.
    "the other takes away what is given": (
        "a-0 b+1 a-0 b+0 a-0 b+0 a-0 b+0",
        ["found", "taken away"],
    ),
    "both find it again": ("a+1 b-0 a+0 b+? a+1", ["taken away"]),
    "lost again, for one after the other": (
        "a+1 b-0 a+0 b+? a+1 b-0 a-0 a+1",
        ["taken away"],
    ),
    "a reporter that starts again": ("a+1 b-0 c+1", []),
}


@pytest.mark.parametrize(("events", "said"), RIVALS.values(), ids=RIVALS)
def test_rivals(cloud, host, reporter, warnings, events, said):
    reporters, time = {name: reporter() for name in "abc"}, NOW
    for event in events.split():
        if event == "x":
            cloud.give(host, cloud.traits(host)[0] - DISPUTED)
        elif event.startswith("@"):
            time = NOW + int(event[1:]) * HOUR / 60
        else:
            name, finds, claimed = event
            reporters[name]("vtd-on" if finds == "+" else "none", time)
            # A host writes the mark of a new hour at a time of its own.
            has = cloud.claims(host)[0] - MARK - {traits.of_hour(time)}
            proven = NONE if claimed == "0" else VTD_ON
            assert claimed == "?" or has == FOREIGN | proven, event
    for line, text in zip(warnings(), said, strict=True):
        assert line.startswith(f"compute: another reporter has {text} ")


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


def test_what_another_reporter_goes_on_to_remove_does_not(
    cloud, host, reporter
):
    sees, does_not = reporter(), reporter()
    counted = []
    for minutes in range(0, 600, 30):
        later = NOW + minutes * HOUR / 60
        for one, tree in ((sees, "vtd-on"), (does_not, "none")):
            one(tree, later)
            counted.append(cloud.traits(host)[0] >= DISPUTED)
    # It is tried again, and stands until the next report of the other.
    assert 2 <= sum(counted) <= 5
    assert not any(counted[1::2])


def test_a_sweep_or_an_operator_is_no_other_reporter(
    cloud, host, reporter, warnings
):
    only = reporter()
    for withdraw in (
        lambda: upkeep.withdraw(cloud.placement, host),
        lambda: upkeep.sweep(cloud.placement, NOW + 5 * HOUR, 2),
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
