# SPDX-License-Identifier: Apache-2.0
"""Daemons that start at a bad time: nothing is let in, nothing comes back."""

import signal

import pytest

from cloud.machines import PROVEN
from cloud.policies import BASELINE
from tests.integration.people import PROVEN_ONLY, restart, until
from tests.integration.test_faults import POSTURE, UNKNOWN

IOMMU = "CUSTOM_VHARD_IOMMU"
DISABLED = "COMPUTE_STATUS_DISABLED"
COMPUTE, REPORTER = f"nova-compute-{PROVEN.name}", f"reporter-{PROVEN.name}"
#: What Placement has, but for its list of versions.
_ALL = ("/traits", "/resource_providers", "/allocation")


def test_a_scheduler_that_starts_without_placement_trusts_no_host(
    cloud, faults, policy, member, logs
):
    """Nova ends if nothing answers at all, but not if a proxy answers 503.

    Then Placement comes back, but does not say what hosts have proven.
    """
    cloud.stop("nova-scheduler")
    cloud.stop("placement-api")
    cloud.start("nova-scheduler")
    until(lambda: not cloud.daemons.alive("nova-scheduler"))
    cloud.stop("nova-scheduler")
    cloud.start("placement-api")
    faults("placement", *({"path": each, "status": 503} for each in _ALL))
    cloud.start("nova-scheduler")
    started = "Starting scheduler node"
    until(lambda: started in "\n".join(logs("nova-scheduler")))
    faults("placement", {**POSTURE, "status": 503})
    policy(PROVEN_ONLY)
    server = member.boot("unproven", "clean")
    assert UNKNOWN in server.fault["message"]
    member.remove(server)
    text = "\n".join(logs("nova-scheduler"))
    assert text.count(" ERROR nova_vh") == 1
    # a request that requires no proof still succeeds
    policy(BASELINE)
    with member.server("undemanding", "clean"):
        policy(PROVEN_ONLY)
    # and when Placement tells, it holds without another start
    faults("placement")
    with member.server("proven", "clean"):
        pass


@pytest.fixture
def switch(admin):
    """Yield a function that disables or enables the proven host's service.

    nova-compute writes that as its last act when it starts.
    """
    nova = admin.compute()
    (service,) = [
        each
        for each in nova.services(host=PROVEN.name)
        if each.binary == "nova-compute"
    ]

    def change(off):
        (nova.disable_service if off else nova.enable_service)(service)
        until(lambda: (DISABLED in admin.traits(PROVEN.node)) is off)

    yield change
    change(False)


@pytest.fixture
def no_reporter(cloud):
    """The proven host's reporter does not run, until it is started."""
    cloud.stop(REPORTER)
    yield
    if not cloud.daemons.alive(REPORTER):
        cloud.start(REPORTER)


def test_a_withdrawn_status_stays_withdrawn_when_nova_compute_starts(
    cloud, admin, switch, no_reporter
):
    """By name, too: nova-compute recreates the names in its cache."""
    placement = admin.sdk().placement

    def ours():
        return {it for it in admin.traits(PROVEN.node) if "_VHARD_" in it}

    def killed(off):
        restart(cloud, COMPUTE, how=signal.SIGKILL)
        switch(off)

    # given a nova-compute that has seen our traits
    killed(off=True)
    switch(off=False)
    assert IOMMU in ours()
    # when
    kept = "--keep-credentials"
    text = admin.command("vhard", "host", "withdraw", PROVEN.name, kept)
    assert text.success, text.text
    gone = placement.delete(f"/traits/{IOMMU}", microversion="1.6")
    # then
    assert gone.status_code == 204
    assert not ours()
    # and when it writes traits, is killed, and writes again
    switch(off=True)
    assert not ours()
    killed(off=False)
    assert not ours()
    # and when there is a name again, as a sweep makes it, and proof of it
    made = placement.put(f"/traits/{IOMMU}", microversion="1.6")
    assert made.status_code == 201
    cloud.start(REPORTER)
    until(lambda: IOMMU in ours())
