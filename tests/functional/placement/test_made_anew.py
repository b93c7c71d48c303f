# SPDX-License-Identifier: Apache-2.0
"""Tests of a resource provider that is recreated during a reporter's life.

``openstack compute service delete`` removes a node and nova-compute registers
it again, with the uuid in its identity file, or with another.
"""

import pytest

from nova_vhard.reporter.publishers.base import PublishError
from tests.functional.placement.reports import (
    FOREIGN,
    MARK,
    VTD_ON,
    identify,
    inspect,
)

PROVEN = FOREIGN | VTD_ON | MARK


@pytest.fixture
def report(publisher):
    """Call to have one reporter, which goes on all the time, report."""
    return lambda: publisher.publish(inspect("vtd-on"))


def remove(cloud, host):
    answer = cloud.delete(f"/resource_providers/{host}", "1.39")
    assert answer.status_code == 204


@pytest.mark.parametrize("named", [False, True])
def test_between_two_reports(cloud, conf, host, report, tmp_path, named):
    """Known by its uuid, or by its name."""
    if named:
        conf.set_override("provider_name", "compute", "vhard_reporter")
    report()
    assert cloud.claims(host)[0] == PROVEN
    remove(cloud, host)
    other = cloud.host("another", FOREIGN)
    # Nothing is reported, not even for another host.
    with pytest.raises(PublishError, match="not created this host's resource"):
        report()
    new = cloud.host("compute", FOREIGN)
    if not named:
        with pytest.raises(PublishError, match=host):
            report()
        assert cloud.claims(new)[0] == FOREIGN
        identify(tmp_path, new)
    report()
    assert cloud.claims(new)[0] == PROVEN
    assert cloud.claims(other)[0] == FOREIGN


@pytest.mark.parametrize("step", ["GET", "PUT"])
def test_in_the_middle_of_a_publish(cloud, host, report, tmp_path, step):
    def vanish(method, url):
        if method == step and url.endswith(f"{host}/traits"):
            cloud.faults.clear()
            remove(cloud, host)

    cloud.faults.append(vanish)
    with pytest.raises(PublishError, match="not created this host's resource"):
        report()
    new = cloud.host("compute", FOREIGN)
    identify(tmp_path, new)
    report()
    assert cloud.claims(new)[0] == PROVEN
