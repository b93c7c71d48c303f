# SPDX-License-Identifier: Apache-2.0
"""A clock that is a day ahead or behind: the host's, the sweep's, Nova's.

Each fails closed by itself, and all is as before once it is set right.
"""

import datetime

import pytest

from nova_vhard.catalogue import traits
from nova_vhard.placement import upkeep
from nova_vhard.placement.client import Placement
from nova_vhard.placement.posture import (
    Clock,
    Posture,
    Question,
)
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from tests.functional.placement.test_posture import START, Time
from tests.functional.placement.test_reporter import (
    FOREIGN,
    NOW,
    VTD_ON,
    captures,
    conf,
    identify,
    inspect,
)

__all__ = ["captures", "conf"]
DAY = datetime.timedelta(days=1)
MARK = {traits.of_hour(NOW)}
IOMMU = Question(frozenset(("iommu",)), 2)

wrong = pytest.mark.parametrize("wrong", [DAY, -DAY], ids=["ahead", "behind"])


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def posture(cloud, time):
    """The posture of nova-scheduler, with a clock that the test sets."""
    assert START == NOW
    return Posture(lambda: Placement(cloud), 60, 600, time.clock())


@pytest.fixture
def host(cloud, tmp_path):
    made = cloud.host("compute", FOREIGN)
    identify(tmp_path, made)
    return made


@pytest.fixture
def report(cloud, conf, captures):
    """Call to have the host's reporter report at a time of its clock."""
    publisher = PlacementPublisher(conf, cloud.placement)
    return lambda time: publisher.publish(inspect(captures, "vtd-on", time))


@wrong
def test_of_a_host(cloud, host, report, posture, time, wrong):
    report(NOW)
    assert posture.hosts(IOMMU) == {host}
    # when
    report(NOW + wrong)
    time.seconds += 70
    # then: it does not count as fresh, and its own mark is the only one
    assert posture.hosts(IOMMU) == set()
    mark = {traits.of_hour(NOW + wrong)}
    assert cloud.claims(host)[0] == FOREIGN | VTD_ON | mark
    assert upkeep.sweep(cloud.placement, NOW, 2).silent == ["compute"]
    assert cloud.traits(host)[0] == FOREIGN
    # and when it is set right
    report(NOW)
    time.seconds += 70
    assert posture.hosts(IOMMU) == {host}
    assert cloud.claims(host)[0] == FOREIGN | VTD_ON | MARK


@wrong
def test_of_the_sweep(cloud, host, report, posture, time, wrong):
    report(NOW)
    # when
    upkeep.sweep(cloud.placement, NOW + wrong, 2)
    # then: it takes the proven for silent, and says so
    assert cloud.traits(host)[0] == FOREIGN
    assert posture.hosts(IOMMU) == set()
    # and the next report restores it, whichever clock is right
    report(NOW)
    time.seconds += 70
    assert posture.hosts(IOMMU) == {host}


def test_of_a_sweep_that_is_three_days_ahead(cloud, host, report, posture):
    """It also deletes the name of the mark that everybody uses."""
    report(NOW)
    upkeep.sweep(cloud.placement, NOW + 3 * DAY, 2)
    assert not MARK & cloud.names()
    report(NOW)
    assert posture.hosts(IOMMU) == {host}


@wrong
def test_of_nova_scheduler(cloud, host, report, posture, time, wrong):
    report(NOW)
    assert posture.hosts(IOMMU) == {host}
    # when: its clock jumps; what it kept is not kept longer for that
    posture._clock = _jumped(time.clock(), wrong)
    time.seconds += 70
    # then
    assert posture.hosts(IOMMU) == set()
    # and when
    posture._clock = time.clock()
    time.seconds += 70
    assert posture.hosts(IOMMU) == {host}


def _jumped(clock, by):
    """A clock of which the wall's time jumps, and no other."""
    return Clock(clock.monotonic, lambda: clock.now() + by)
