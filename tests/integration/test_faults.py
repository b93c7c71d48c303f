# SPDX-License-Identifier: Apache-2.0
"""Services that fail: nothing is let in, and all goes on by itself."""

import concurrent.futures
import time
from typing import NamedTuple

import openstack
import pytest

from cloud.machines import PROVEN
from tests.integration.people import IDE, refusal, until
from tests.integration.test_servers import PROVEN_ONLY

#: What the scheduler's gate asks Placement, and nobody else.
POSTURE = {"path": "/traits", "query": "CUSTOM_VHARD_"}
UNKNOWN = "which hosts have passed the checks iommu is not known at the moment"


class Came(NamedTuple):
    """Outcome of a server request."""

    status: str
    fault: str | None


@pytest.fixture
def placed(policy, member):
    """Boot a server that must be on the proven host; remove it again.

    Before the fault there are enough for both of the scheduler's workers to
    have an answer that they keep.
    """
    policy(PROVEN_ONLY)

    def boot(name):
        server = member.boot(name, "clean")
        came = Came(server.status, server.fault and server.fault["message"])
        member.remove(server)
        return came

    # Not more at once: claims on one host get into each other's way.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        before = list(pool.map(boot, [f"before-{n}" for n in range(4)]))
    assert {each.status for each in before} == {"ACTIVE"}, before
    # beyond posture_ttl: the next one asks again
    time.sleep(1.5)
    return boot


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503, "body": "<html>down for maintenance</html>"},
        {"status": 403, "body": '{"errors": [{"status": 403}]}'},
        {"status": 200, "body": "<html>a login page"},
        {"seconds": 10},
    ],
    ids=["down", "forbidden", "garbage", "slow"],
)
def test_without_an_answer_the_last_one_holds(faults, placed, logs, fault):
    faults("placement", {**POSTURE, **fault})
    server = placed("meanwhile")
    assert server.status == "ACTIVE"
    if "status" in fault:
        lines = [
            each for each in logs("nova-scheduler") if " WARNING " in each
        ]
        assert any("does not say which hosts" in each for each in lines)
        assert "Traceback" not in "\n".join(lines)


def test_after_posture_max_age_no_host_counts_as_proven(
    cloud, faults, placed, logs
):
    # given
    faults("placement", {**POSTURE, "status": 503})
    # when
    time.sleep(cloud.facts.posture["posture_max_age"] + 2)
    # then
    server = placed("too-late")
    assert server.status == "ERROR"
    assert UNKNOWN in server.fault
    errors = [
        each for each in logs("nova-scheduler") if " ERROR nova_vh" in each
    ]
    assert len(errors) == 1
    # and when
    faults("placement")
    # then
    assert placed("again").status == "ACTIVE"


def test_with_placement_gone_nothing_is_placed_until_it_is_back(cloud, placed):
    cloud.stop("placement-api")
    assert placed("without").status == "ERROR"
    cloud.start("placement-api")
    assert placed("with").status == "ACTIVE"


def test_reports_that_were_not_taken_are_made_up_for(cloud, admin, faults):
    # given
    faults("placement", {"path": "/resource_providers", "status": 503})
    name = f"reporter-{PROVEN.name}"
    cloud.stop(name)
    cloud.start(name)
    time.sleep(5)
    assert cloud.daemons.alive(name)
    # when
    faults("placement")
    # then
    until(lambda: "CUSTOM_VHARD_IOMMU" in admin.traits(PROVEN.node), 60)


def test_without_glance_the_nova_gate_lets_nothing_in(
    member, faults, decisions
):
    # given
    image = member.image_id("old-router")
    with member.server("existing", "clean") as server:
        faults("glance", {"path": "/v2/images", "status": 503})
        # when
        with pytest.raises(openstack.exceptions.HttpException) as rebuilt:
            member.compute().rebuild_server(server, image=image)
        with pytest.raises(openstack.exceptions.HttpException):
            member.compute().create_server(
                name="old", image_id=image, flavor_id="1", networks="none"
            )
        # then
        assert rebuilt.value.status_code == 503
        faults("glance")
        assert member.settle(server).status == "ACTIVE"
        assert not list(member.compute().servers(name="old"))
        # and when Glance is back, so is the explanation
        text = refusal(member.compute().rebuild_server, server, image=image)
        assert IDE in text
