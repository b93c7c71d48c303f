# SPDX-License-Identifier: Apache-2.0
"""A clock that is a day ahead or behind: the host's, the sweep's, Nova's.

Each fails closed by itself, and all is as before once it is set right.
"""

import pytest

from nova_vhard.catalogue import traits
from nova_vhard.placement import upkeep
from nova_vhard.placement.posture import Clock, Question
from tests.functional.placement.reports import (
    DAY,
    FOREIGN,
    MARK,
    NOW,
    VTD_ON,
    inspect,
)

ASKED = Question(frozenset(("iommu",)), 2)
wrong = pytest.mark.parametrize("wrong", [DAY, -DAY], ids=["ahead", "behind"])


@pytest.fixture
def report(publisher):
    """Call to have the host's reporter report at a time of its clock."""
    return lambda time: publisher.publish(inspect("vtd-on", time))


@wrong
def test_of_a_host(cloud, host, report, posture, time, wrong):
    report(NOW)
    assert posture.hosts(ASKED) == {host}
    report(NOW + wrong)
    time.seconds += 70
    # It does not count as fresh, and its own mark is the only one.
    assert posture.hosts(ASKED) == set()
    mark = {traits.of_hour(NOW + wrong)}
    assert cloud.claims(host)[0] == FOREIGN | VTD_ON | mark
    assert upkeep.sweep(cloud.placement, NOW, 2).silent == ["compute"]
    assert cloud.traits(host)[0] == FOREIGN
    report(NOW)
    time.seconds += 70
    assert posture.hosts(ASKED) == {host}
    assert cloud.claims(host)[0] == FOREIGN | VTD_ON | MARK


@pytest.mark.parametrize(
    "wrong", [DAY, -DAY, 3 * DAY], ids=["ahead", "behind", "three ahead"]
)
def test_of_the_sweep(cloud, host, report, posture, time, wrong):
    report(NOW)
    upkeep.sweep(cloud.placement, NOW + wrong, 2)
    # It takes the proven for silent, and says so. One that is three days
    # ahead also deletes the name of the mark that everybody uses.
    assert cloud.traits(host)[0] == FOREIGN
    assert (cloud.names() >= MARK) is (wrong < 2 * DAY)
    assert posture.hosts(ASKED) == set()
    # The next report restores it, whichever clock is right.
    report(NOW)
    time.seconds += 70
    assert posture.hosts(ASKED) == {host}


@wrong
def test_of_nova_scheduler(host, report, posture, time, wrong):
    report(NOW)
    assert posture.hosts(ASKED) == {host}
    # What it kept is not kept longer because its clock has jumped.
    right = posture._clock
    posture._clock = Clock(right.monotonic, lambda: right.now() + wrong)
    time.seconds += 70
    assert posture.hosts(ASKED) == set()
    posture._clock = right
    time.seconds += 70
    assert posture.hosts(ASKED) == {host}
