# SPDX-License-Identifier: Apache-2.0
"""Services that fail: nothing is let in, and all goes on by itself."""

import concurrent.futures
import time
from typing import NamedTuple

import openstack
import pytest

from cloud.machines import PROVEN
from tests.integration.people import (
    IDE,
    PROVEN_ONLY,
    refusal,
    restart,
    until,
)

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
        # Which changes the server's status.
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
    assert placed("during").status == "ACTIVE"
    if "status" in fault:
        text = "\n".join(logs("nova-scheduler"))
        assert " WARNING " in text and "does not say which hosts" in text
        assert "Traceback" not in text


def test_after_posture_max_age_no_host_counts_as_proven(
    cloud, faults, placed, logs
):
    faults("placement", {**POSTURE, "status": 503})
    time.sleep(cloud.facts.posture["posture_max_age"] + 2)
    server = placed("too-late")
    assert server.status == "ERROR"
    assert UNKNOWN in server.fault
    text = "\n".join(logs("nova-scheduler"))
    assert text.count(" ERROR nova_vh") == 1
    # and when
    faults("placement")
    assert placed("again").status == "ACTIVE"


def test_with_placement_gone_nothing_is_placed_until_it_is_back(cloud, placed):
    cloud.stop("placement-api")
    assert placed("without").status == "ERROR"
    cloud.start("placement-api")
    assert placed("with").status == "ACTIVE"


def test_reports_that_were_not_taken_are_made_up_for(cloud, admin, faults):
    faults("placement", {"path": "/resource_providers", "status": 503})
    name = f"reporter-{PROVEN.name}"
    restart(cloud, name)
    time.sleep(5)
    assert cloud.daemons.alive(name)
    faults("placement")
    until(lambda: "CUSTOM_VHARD_IOMMU" in admin.traits(PROVEN.node), 60)


def test_without_glance_the_nova_gate_lets_nothing_in(member, faults):
    image, compute = member.image_id("old-router"), member.compute()
    new = {"name": "old", "flavor_id": "1", "networks": "none"}
    with member.server("existing", "clean") as server:
        faults("glance", {"path": "/v2/images", "status": 503})
        with pytest.raises(openstack.exceptions.HttpException) as rebuilt:
            compute.rebuild_server(server, image=image)
        with pytest.raises(openstack.exceptions.HttpException):
            compute.create_server(**new, image_id=image)
        assert rebuilt.value.status_code == 503
        faults("glance")
        assert member.settle(server).status == "ACTIVE"
        assert not list(compute.servers(name="old"))
        # and when Glance is back, so is the explanation
        assert IDE in refusal(compute.rebuild_server, server, image=image)
