# SPDX-License-Identifier: Apache-2.0
"""A rolling upgrade: daemons of two versions on one cloud, and the way back.

What is later, and how an earlier commit is tried: see releases.py.
"""

import contextlib
import dataclasses
import datetime
import time
from functools import partial

import pytest
import requests

from cloud import commands, config, users
from cloud.machines import MACHINES, PROVEN, Flavor
from cloud.policies import BASELINE
from tests.integration import releases
from tests.integration.people import IDE, PROVEN_ONLY, refusal, until
from tests.integration.releases import CHECK, NEXT, NOW, TRAIT
from tests.integration.test_bus import total

REPORTER = f"reporter-{PROVEN.name}"
#: What is upgraded.
EVERYTHING = (
    *("exporter", "glance-api", "nova-api", "nova-scheduler"),
    *(f"reporter-{machine.name}" for machine in MACHINES),
)
NEEDED = f">={NEXT.major}.{NEXT.minor}"
NEEDS = f'requires: "{NEEDED}"\n'
#: Allows more than the baseline, and has a rule that the old version lacks.
NEWER = f"""\
{BASELINE}{NEEDS}\
guest_devices:
  vif_model: {{allow: [virtio, e1000]}}
  later_bus: {{allow: [virtio]}}
"""
DISK_BUS = "guest_devices.disk_bus"
E1000 = "hw_vif_model='e1000' is not allowed"
LATER_BUS = "hw_later_bus='ide' is not allowed"
TOO_OLD = f"this policy needs nova-vhard '{NEEDED}' and {NOW} runs"
STRICT_FLAVOR = Flavor("76", "later.tiny")


@pytest.fixture(scope="module")
def rolling(cloud, member):
    """Both versions; every daemon is old again at the end.

    Nova's API has judged before: what has not has no last valid policy.
    """
    made = releases.Releases(cloud, cloud.place.home("releases"))
    for name in EVERYTHING if releases.COMMIT else ():
        made.run(name, made.old)
    refusal(member.ask, "old", "old-router")
    yield made
    made.end()


@pytest.fixture(scope="module")
def second(rolling, cloud):
    """The APIs of a second controller, which was upgraded first."""
    names = [
        rolling.beside(each, rolling.later) for each in ("glance", "nova")
    ]
    for name in names:
        cloud.listening(name)


@pytest.fixture
def upload(cloud, member):
    """Call to ask for an image, of a service; returns the answer."""

    def ask(service="glance", **properties):
        answer = requests.post(
            f"{cloud.facts.url(service)}/v2/images",
            json={"name": "of-an-upgrade", **properties},
            headers={"X-Auth-Token": member.token},
            timeout=60,
        )
        if answer.ok:
            member.image.delete_image(answer.json()["id"])
        return answer

    return ask


@pytest.fixture
def refused(upload):
    """Call to ask for an image with old devices; returns the refusal."""

    def ask(service="glance", **properties):
        asked = {"hw_disk_bus": "ide", "hw_vif_model": "e1000", **properties}
        answer = upload(service, **asked)
        assert answer.status_code == 403, answer.text
        return answer.json()["forbidden"]["message"]

    return ask


def complaints(lines):
    """Return what a service says of a policy that it cannot use."""
    return [line for line in lines if "Policy cannot be used" in line]


def test_the_package_first_and_then_the_policy(
    second, policy, member, refused, logs, counted
):
    """Of two controllers one is upgraded, when the policy is written."""

    def infos():
        return [each for each in counted() if "nova_vhard_policy_info" in each]

    # given
    assert E1000 in refused() and E1000 in refused("second-glance")
    # when
    policy(NEWER)
    # then the new ones take it up
    # (while one thread reads the file, the others judge by the old policy)
    until(lambda: E1000 not in refused("second-glance"))
    answer = refused("second-glance", hw_later_bus="ide")
    assert IDE in answer and LATER_BUS in answer and E1000 not in answer
    asked = partial(refusal, member.ask, "old", "old-router", "second-nova")
    answer = until(lambda: E1000 not in (got := asked()) and got)
    assert IDE in answer
    # and the old ones keep the last valid policy, and say why
    assert E1000 in refused()
    answer = refusal(member.ask, "old", "old-router")
    assert IDE in answer and E1000 in answer
    for name in ("glance", "nova-api"):
        (line,) = complaints(logs(name))
        assert TOO_OLD in line and "later_bus" not in line
    for name in ("second-glance", "second-nova"):
        assert not complaints(logs(name))
    # the bus has both policies of each service, and that one is refused
    until(lambda: total(counted(), "policy_usable", "glance-api") == 0)
    until(lambda: sum("glance-api" in each for each in infos()) == 2)
    until(lambda: total(counted(), "policy_usable", "nova-api") == 0)


@pytest.mark.parametrize("listens", ["old", "later"])
def test_exporter_and_gates_of_two_versions(
    cloud, rolling, second, refused, counted, listens
):
    """A rule that an exporter does not know is counted as ``other``."""
    # given
    rolling.run("exporter", getattr(rolling, listens))
    until(lambda: total(counted(), "bus_up") == 1)
    rule = "other" if listens == "old" else "guest_devices.later_bus"

    def count(rule):
        series = ("glance-api", "enforce", rule)
        return total(counted(), "violations_total", *series)

    before = {name: count(name) for name in (rule, DISK_BUS)}
    # when
    refused("second-glance", hw_later_bus="ide")
    refused()
    # then
    until(lambda: count(rule) > before[rule])
    until(lambda: count(DISK_BUS) >= before[DISK_BUS] + 2)
    assert total(counted(), "notifications_unreadable_total") == 0
    rolling.run("exporter", rolling.old)


def test_the_policy_first_and_then_the_package(
    rolling, policy, upload, refused, logs
):
    """The package is replaced beneath a service, in its state path."""
    # given a policy that the package is too old for, and a restart
    mine = rolling.copy_of_old()
    policy(NEWER)
    rolling.run("glance-api", mine)
    assert E1000 in refused()
    assert TOO_OLD in complaints(logs("glance"))[-1]
    # when nobody restarts what was upgraded
    releases.replace(mine, rolling.later)
    # then it is still the old one
    assert E1000 in refused()
    assert TOO_OLD in complaints(logs("glance"))[-1]
    # and when somebody does
    rolling.run("glance-api", mine)
    # then
    assert E1000 not in refused()
    assert LATER_BUS in refused(hw_later_bus="ide")
    # and when the package goes back before the policy does
    releases.replace(mine, rolling.old)
    rolling.run("glance-api", mine)
    # then it does not use the later version's copy, and lets nothing in
    assert upload(hw_disk_bus="virtio").status_code == 503
    assert "there is no last valid policy" in complaints(logs("glance"))[-1]
    # and when the policy does
    policy(BASELINE)
    assert E1000 in refused()
    assert upload(hw_disk_bus="virtio").status_code == 201


@pytest.fixture
def scheduler(cloud, rolling, policy, logs):
    """Call to start nova-scheduler in a version; the old one at the end."""
    name = "nova-scheduler"

    def starts():
        return sum("Starting scheduler node" in line for line in logs(name))

    def start(version):
        before = starts()
        rolling.begin(name, version)
        until(lambda: starts() == before + 2)

    yield start
    policy(BASELINE)
    if rolling.versions.get(name) != rolling.old:
        start(rolling.old)


@pytest.fixture
def reporter(admin, rolling):
    """Call to start the proven host's reporter in a version."""

    def start(version):
        # As the sweep of a later version does: a reporter may not.
        admin.sdk().placement.put(f"/traits/{TRAIT}", microversion="1.6")
        rolling.run(REPORTER, version)
        expected = version == rolling.later
        until(lambda: (TRAIT in admin.traits(PROVEN.node)) is expected)
        # beyond posture_ttl: schedulers have asked again
        time.sleep(2.5)

    yield start
    if rolling.versions.get(REPORTER) == rolling.later:
        start(rolling.old)


@pytest.fixture
def lands(member, admin):
    """Call to boot a server; returns its host, or the words of its fault."""

    def boot(**more):
        server = member.compute().create_server(
            name="of-an-upgrade",
            image_id=member.image_id("clean"),
            networks="none",
            **{"flavor_id": "1", **more},
        )
        server = member.settle(server)
        try:
            if server.status == "ACTIVE":
                return admin.host(server)
            return server.fault["message"]
        finally:
            member.remove(server)

    return boot


@pytest.fixture
def attest(cloud, rolling, tmp_path):
    """Call to have an attestor of a version attest machines, and no other."""
    key = str(cloud.facts.attestation_key)
    posture = {**cloud.facts.posture, "attestation_key": key}
    # The schedulers that are started from now on have the key.
    config.write_gates(dataclasses.replace(cloud.facts, posture=posture))
    mapped = "".join(f"  {it.node}: {it.name}\n" for it in MACHINES)
    files = {name: tmp_path / name for name in ("mapping", "verdicts", "conf")}
    files["mapping"].write_text(f"hosts:\n{mapped}")
    login = config.auth(cloud.facts).replace("= service\npass", "= {}\npass")
    files["conf"].write_text(
        "[vhard_attestor]\nsource = file\n"
        f"mapping_file = {files['mapping']}\n"
        f"verdicts_file = {files['verdicts']}\n"
        f"key_file = {cloud.facts.attestation_key}\n"
        f"[placement]\n{login.format(users.ATTESTOR.name)}"
    )

    def once(version, *machines):
        now = datetime.datetime.now(datetime.UTC).isoformat()
        lines = [f"  {machine.name}: {now}\n" for machine in machines]
        text = f"agents:\n{''.join(lines)}" if lines else "agents: {}\n"
        files["verdicts"].write_text(text)
        answer = commands.run(
            "nova-vhard-attestor",
            *(f"--config-file={files['conf']}", "run", "--once"),
            environment={
                **commands.environment(),
                "PYTHONPATH": str(version),
            },
        )
        assert answer.success, answer.text

    yield once
    once(rolling.old)
    config.write_gates(cloud.facts)


@contextlib.contextmanager
def flavor(admin, service):
    """A flavor that requires the later check, made where that is known."""
    compute = admin.compute(service)
    made = compute.create_flavor(
        id=STRICT_FLAVOR.id,
        name=STRICT_FLAVOR.name,
        ram=STRICT_FLAVOR.memory_mb,
        vcpus=1,
        disk=1,
    )
    compute.create_flavor_extra_specs(made, {"vhard:require": CHECK})
    try:
        yield made.id
    finally:
        compute.delete_flavor(made)


def test_a_new_scheduler_among_old_reporters(
    rolling, scheduler, reporter, attest, policy, lands, logs, cloud
):
    """No host of an old reporter passes a check that the reporter lacks."""
    # given
    scheduler(rolling.later)
    # when
    policy(f"{BASELINE}{NEEDS}hosts: {{require: [{CHECK}]}}\n")
    # then
    unproven = f"no host of this cloud has passed the checks {CHECK}"
    assert unproven in lands()
    # and when the first of the computes is upgraded
    reporter(rolling.later)
    assert lands() == PROVEN.name
    # and when it goes back
    reporter(rolling.old)
    assert unproven in lands()
    # and an old attestor's marks are read
    attest(rolling.old, MACHINES[1])
    policy(f"{BASELINE}{NEEDS}hosts: {{require: [attested]}}\n")
    assert lands() == MACHINES[1].name
    # and when the scheduler goes back before the policy does
    rolling.begin("nova-scheduler", rolling.old)
    # then it does not start
    until(lambda: not cloud.daemons.alive("nova-scheduler"))
    assert TOO_OLD in complaints(logs("nova-scheduler"))[-1]


def test_an_old_scheduler_among_new_reporters(
    second, rolling, scheduler, reporter, attest, policy, lands, admin
):
    """It requires an unknown check by name and assumes no host passes it."""
    # given
    scheduler(rolling.old)
    reporter(rolling.later)
    # when and then
    policy(PROVEN_ONLY)
    assert lands() == PROVEN.name
    answer = admin.command(
        *("vhard", "host", "list", "-f", "value"),
        *("-c", "Host", "-c", "Status", "-c", "iommu"),
    )
    assert f"{PROVEN.name} fresh PASS" in answer.text.splitlines()
    # and of a flavor that was made by a new API
    with flavor(admin, "second-nova") as strict:
        assert lands(flavor_id=strict) == PROVEN.name
        reporter(rolling.old)
        assert f"has passed the checks iommu, {CHECK}" in lands(
            flavor_id=strict
        )
    # and a new attestor's marks are read
    attest(rolling.later, MACHINES[1])
    policy(f"{BASELINE}hosts: {{require: [attested]}}\n")
    assert lands() == MACHINES[1].name
