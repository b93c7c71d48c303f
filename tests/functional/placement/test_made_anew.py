# SPDX-License-Identifier: Apache-2.0
"""Tests of a resource provider that is recreated during a reporter's life.

``openstack compute service delete`` removes a node and nova-compute registers
it again, with the uuid in its identity file, or with another.
"""

import pytest

from nova_vhard.catalogue import traits
from nova_vhard.reporter.publishers.base import PublishError
from nova_vhard.reporter.publishers.placement import PlacementPublisher
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
PROVEN = VTD_ON | {traits.of_hour(NOW)}


@pytest.fixture
def report(cloud, conf, captures):
    """Call to have one reporter, which goes on all the time, report."""
    publisher = PlacementPublisher(conf, cloud.placement)
    return lambda: publisher.publish(inspect(captures, "vtd-on"))


def remove(cloud, host):
    answer = cloud.delete(f"/resource_providers/{host}", "1.39")
    assert answer.status_code == 204


def test_with_another_uuid_and_the_same_name(cloud, report, tmp_path):
    # given
    old = cloud.host("compute", FOREIGN)
    identify(tmp_path, old)
    report()
    assert cloud.claims(old)[0] == FOREIGN | PROVEN
    # when it is gone, and another host has come
    remove(cloud, old)
    other = cloud.host("another", FOREIGN)
    # then nothing is reported, not even for another host
    with pytest.raises(PublishError, match="not created this host's resource"):
        report()
    new = cloud.host("compute", FOREIGN)
    with pytest.raises(PublishError, match=old):
        report()
    assert cloud.claims(new)[0] == cloud.traits(other)[0] == FOREIGN
    # and when nova-compute has written who it is now
    identify(tmp_path, new)
    report()
    # then
    assert cloud.claims(new)[0] == FOREIGN | PROVEN
    assert cloud.claims(other)[0] == FOREIGN


def test_by_name(cloud, conf, report):
    conf.set_override("provider_name", "compute", "vhard_reporter")
    old = cloud.host("compute", FOREIGN)
    report()
    remove(cloud, old)
    with pytest.raises(PublishError, match="not created this host's resource"):
        report()
    new = cloud.host("compute", FOREIGN)
    report()
    assert cloud.claims(new)[0] == FOREIGN | PROVEN


@pytest.mark.parametrize("step", ["GET", "PUT"])
def test_in_the_middle_of_a_publish(cloud, report, tmp_path, step):
    # given
    old = cloud.host("compute", FOREIGN)
    identify(tmp_path, old)

    def vanish(method, url):
        if method == step and url.endswith(f"{old}/traits"):
            cloud.faults.clear()
            remove(cloud, old)

    cloud.faults.append(vanish)
    # when
    with pytest.raises(PublishError, match="not created this host's resource"):
        report()
    # then
    new = cloud.host("compute", FOREIGN)
    identify(tmp_path, new)
    report()
    assert cloud.claims(new)[0] == FOREIGN | PROVEN
