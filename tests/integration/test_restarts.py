# SPDX-License-Identifier: Apache-2.0
"""Daemons that start at a bad time: nothing is let in, nothing comes back."""

import signal

import pytest

from cloud.machines import PROVEN
from cloud.policies import BASELINE
from tests.integration.people import until
from tests.integration.test_faults import POSTURE, UNKNOWN
from tests.integration.test_servers import PROVEN_ONLY

OURS = "CUSTOM_VHARD_"
IOMMU = "CUSTOM_VHARD_IOMMU"
DISABLED = "COMPUTE_STATUS_DISABLED"
COMPUTE = f"nova-compute-{PROVEN.name}"
#: What Placement has, but for its list of versions.
_ALL = ("/traits", "/resource_providers", "/allocation")
REPORTER = f"reporter-{PROVEN.name}"


@pytest.fixture
def without_placement(cloud, faults, logs):
    """A nova-scheduler that starts while Placement is down.

    Where nothing answers at all Nova gives up; where a proxy or Placement
    itself says 503 it starts. Then Placement comes back, but does not say
    what hosts have proven.
    """
    cloud.stop("nova-scheduler")
    cloud.stop("placement-api")
    cloud.start("nova-scheduler")
    until(lambda: not cloud.daemons.alive("nova-scheduler"))
    cloud.stop("nova-scheduler")
    cloud.start("placement-api")
    faults("placement", *({"path": each, "status": 503} for each in _ALL))
    cloud.start("nova-scheduler")
    until(lambda: _started(logs("nova-scheduler")))
    faults("placement", {**POSTURE, "status": 503})


def _started(lines):
    return any("Starting scheduler node" in each for each in lines)


def test_a_scheduler_that_starts_without_placement_trusts_no_host(
    without_placement, faults, policy, member, logs
):
    # given
    policy(PROVEN_ONLY)
    # when
    server = member.boot("unproven", "clean")
    # then
    assert server.status == "ERROR"
    assert UNKNOWN in server.fault["message"]
    member.remove(server)
    errors = [
        each for each in logs("nova-scheduler") if " ERROR nova_vh" in each
    ]
    assert len(errors) == 1
    # a request that requires no proof still succeeds
    policy(BASELINE)
    with member.server("undemanding", "clean"):
        policy(PROVEN_ONLY)
    # and when Placement tells, it holds without another start
    faults("placement")
    with member.server("proven", "clean") as server:
        assert server.status == "ACTIVE"


@pytest.fixture
def compute(cloud, admin):
    """Call to kill the nova-compute of the proven host, and start it again.

    It is there again when it has written, as its last act, that its service
    is disabled, or enabled.
    """
    (service,) = [
        each
        for each in admin.compute().services(host=PROVEN.name)
        if each.binary == "nova-compute"
    ]

    def switch(off):
        nova = admin.compute()
        (nova.disable_service if off else nova.enable_service)(service)
        until(lambda: (DISABLED in admin.traits(PROVEN.node)) is off)

    def again(off):
        cloud.stop(COMPUTE, signal.SIGKILL)
        cloud.start(COMPUTE)
        switch(off)

    again.switch = switch
    yield again
    switch(False)


@pytest.fixture
def no_reporter(cloud):
    """The proven host's reporter does not run, until it is started."""
    cloud.stop(REPORTER)
    yield
    if not cloud.daemons.alive(REPORTER):
        cloud.start(REPORTER)


def test_a_withdrawn_status_stays_withdrawn_when_nova_compute_starts(
    cloud, admin, compute, no_reporter
):
    """By name, too: nova-compute recreates the names in its cache."""

    def ours():
        return {each for each in admin.traits(PROVEN.node) if OURS in each}

    # given a nova-compute that has seen our traits
    compute(off=True)
    compute.switch(off=False)
    assert IOMMU in ours()
    # when
    kept = "--keep-credentials"
    text = admin.command("vhard", "host", "withdraw", PROVEN.name, kept)
    assert text.success, text.text
    gone = admin.sdk().placement.delete(f"/traits/{IOMMU}", microversion="1.6")
    # then
    assert gone.status_code == 204
    assert not ours()
    # and when it writes traits, is killed, and writes again
    compute.switch(off=True)
    assert not ours()
    compute(off=False)
    assert not ours()
    # and when there is a name again, as a sweep makes it, and proof of it
    made = admin.sdk().placement.put(f"/traits/{IOMMU}", microversion="1.6")
    assert made.status_code == 201
    cloud.start(REPORTER)
    until(lambda: IOMMU in ours())
