# SPDX-License-Identifier: Apache-2.0
"""Real guests: QEMU's processes, started by Nova through a guarded libvirt.

What a guest has is read off the command lines that libvirt has run, which it
keeps in its log of each guest.
"""

import dataclasses
import pathlib
import re

import pytest

from cloud import clients, config, hypervisor, place, policies, users
from nova_vhard.policy import document
from story import play
from tests.integration import rows
from tests.integration.conftest import a_cloud
from tests.integration.people import restart, until

ROOT = pathlib.Path(__file__).parents[2] / ".cloud-guests"
#: Nobody judges but the guard.
ON_HOST = "on_host: {{mode: {mode}}}\n"
#: Those that have the gates in them.
GATED = ("nova-api", "nova-scheduler", "glance-api")
MODES = ("enforce", "audit")
SECONDS = 240


@dataclasses.dataclass(frozen=True)
class Result:
    """Outcome of a row.

    :ivar status: status of its server
    :ivar devices: all devices that QEMU was given for it
    :ivar violations: rules and values that the guard's events about it name,
        with their outcomes
    """

    status: str
    devices: frozenset[str]
    violations: set[tuple[str, str, str]]


@pytest.fixture(scope="module")
def cloud(request):
    """A cloud whose servers are QEMU's processes."""
    assert not hypervisor.missing(), hypervisor.missing()
    with a_cloud(request, ROOT, libvirt=True) as running:
        yield running


def devices(cloud, server):
    """Return the names of the devices that QEMU was started with."""
    names = set()
    for machine in cloud.facts.hypervisors:
        logs = cloud.place.home(machine.name) / "log/qemu"
        for log in logs.glob("instance-*.log"):
            text = log.read_text(errors="replace")
            if f"-uuid {server}" in text:
                names |= set(re.findall(r'"driver":"([\w-]+)"', text))
    return frozenset(names)


def test_five_steps_of_the_story_on_real_guests(cloud, capsys):
    assert play.play(cloud, play.GUESTS), capsys.readouterr().out


def guard(cloud, mode):
    """Switch all guards to a policy."""
    text = policies.BASELINE + ON_HOST.format(mode=mode)
    policies.write(cloud.place.policy, text)
    digest = document.load(str(cloud.place.policy)).digest
    for machine in cloud.facts.hypervisors:
        log = cloud.place.logs / f"guard-{machine.name}.log"
        until(lambda log=log: f"Policy {digest} " in log.read_text())


@pytest.fixture(scope="module")
def open_cloud(cloud):
    """The cloud without any gate but the guard."""
    plain = dataclasses.replace(cloud.facts, gates=False)
    config.write_gates(plain)
    log = cloud.place.logs / "nova-scheduler.log"
    started = "Starting scheduler node"
    begun = log.read_text().count(started)
    restart(cloud, *GATED)
    until(lambda: log.read_text().count(started) > begun)
    admin = clients.Client(cloud.facts, users.ADMIN)
    admin.compute().create_flavor(
        name=rows.SOUND.name,
        id=rows.SOUND.id,
        ram=rows.SOUND.memory_mb,
        vcpus=1,
        disk=rows.SOUND.root_gb,
    ).create_extra_specs(admin.compute(), rows.SOUND.extra_specs)
    return cloud


@pytest.fixture(scope="module")
def results(open_cloud):
    """Walk every row, in both modes; return mode -> row -> Result."""
    tenant = rows.Tenant(open_cloud)
    events = place.Events(open_cloud.place).new
    guard(open_cloud, "enforce")
    walks = {number: row[0](tenant) for number, row in rows.ROWS.items()}
    begun = [server for walk in walks.values() if (server := next(walk))]
    for server in begun:
        server = tenant.settle(server, SECONDS)
        assert server.status == "ACTIVE", server.fault
    outcomes = {}
    for mode in MODES:
        guard(open_cloud, mode)
        events()
        tried = {number: next(walk) for number, walk in walks.items()}
        settled = {n: tenant.settle(s, SECONDS) for n, s in tried.items()}
        new = events()
        assert {event["gate"] for event in new} == {"guard"}
        outcomes[mode] = {
            number: Result(
                server.status,
                devices(open_cloud, server.id),
                {
                    (event["outcome"], violation["rule"], violation["value"])
                    for event in new
                    if event["subject"].get("server") == server.id
                    for violation in event["violations"]
                },
            )
            for number, server in settled.items()
        }
    return outcomes


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("row", rows.ROWS)
def test_a_guest_runs_with_it_only_where_the_guard_audits(results, row, mode):
    _, device, rule, value = rows.ROWS[row]
    result = results[mode][row]
    runs = mode == "audit" and device is not None
    assert (result.status != "ERROR") == runs, result
    assert (device in result.devices) == runs, result
    # libvirt finds no device of row 35 before it asks the guard at "start".
    outcome = {"enforce": "refuse", "audit": "audit"}[mode]
    told = (outcome, rule, value) in result.violations
    assert told or (device is None and mode == "audit"), result
