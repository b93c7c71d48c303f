# SPDX-License-Identifier: Apache-2.0
"""Tests behind a server that answers 414 to a URL of more than 4,096 bytes.

After days without a sweep, and with hundreds of foreign names: clients of
Placement get an answer, and the sweep repairs what it can.
"""

import pytest

from nova_vhard.catalogue import results, traits
from nova_vhard.placement import names, upkeep
from nova_vhard.placement.fleet import fleet
from nova_vhard.placement.posture import Question
from tests.functional.placement.attestors import COMPUTE, TRAIT, Desk
from tests.functional.placement.conftest import Answer
from tests.functional.placement.reports import (
    DAY,
    HOUR,
    IOMMU,
    NOW,
    identify,
    report_of,
)

#: uwsgi's default.
LIMIT = 4096
PREFIXES = (traits.PREFIX, traits.REPORTED, results.PREFIX)
#: As long as Placement takes them.
FOREIGN = {
    f"{prefix}{number:0{255 - len(prefix)}}"
    for prefix in PREFIXES
    for number in range(100)
}
QUESTION = Question(frozenset(("iommu",)), 2, attested=True)


#: Hosts have made the names of their hours, and nobody has swept.
TEN_DAYS = {*traits.hours(NOW, -239, 1)}
#: A sweep of three days ago, and somebody has filled Placement up.
FILLED = {*traits.hours(NOW - 3 * DAY, 0, 337), *names.of_checks(), *FOREIGN}


@pytest.mark.parametrize(
    ("before", "role", "age"),
    [
        (TEN_DAYS, "admin", 239),
        (FILLED, "vhard-reporter", 71),
    ],
)
def test_all_get_an_answer_and_the_sweep_mends(
    cloud, weeks, acting, world, publisher, tmp_path, before, role, age
):
    cloud.insert(before)
    refused = []

    def limit(method, url):
        if len(url) > LIMIT:
            refused.append(url)
            return Answer(414, "URI Too Long")
        return None

    cloud.faults.append(limit)
    admin = cloud._adapter
    desk = Desk(cloud, tmp_path)
    old = traits.of_hour(NOW - age * HOUR)
    host = desk.host("proven")
    silent = cloud.host("silent", {COMPUTE, IOMMU, old})
    identify(tmp_path, host)
    # The reporter, by the login of hosts.
    acting(role)
    publisher.publish(report_of(NOW, iommu="PASS", smt="FAIL"))
    cloud._adapter = admin
    assert publisher.record.days_ahead == (14 if role == "admin" else 11)
    # The attestor, and the scheduler's refresh.
    assert desk.attestor().once()
    assert desk.scheduler(QUESTION) == {host}
    # host list and the report.
    posture = fleet(cloud.placement, NOW, 2, results=True)
    assert {each.name: each.status for each in posture} == {
        "proven": "fresh",
        "silent": "stale",
    }
    assert posture[0].result("smt") == "FAIL"
    assert posture[0].attested
    # The sweep.
    done = upkeep.sweep(cloud.placement, NOW, 2)
    assert (done.silent, done.failed) == (["silent"], [])
    assert old in done.deleted
    assert not cloud.placement.known(traits.hours(NOW, -1440, -48))
    assert cloud.traits(silent)[0] == {COMPUTE}
    publisher.publish(report_of(NOW + 24 * HOUR, iommu="PASS"))
    assert publisher.record.days_ahead == 13
    # host withdraw.
    world.run("$ vhard host withdraw --all --yes")
    assert cloud.traits(host)[0] == {COMPUTE}
    assert cloud.placement.known({TRAIT, IOMMU}) == frozenset()
    assert not refused
    # No name that somebody else has made is gone: a flavor may ask for it.
    left = cloud.names() & FOREIGN
    assert len(left) == (2 * 100 if before is FILLED else 0)
