# SPDX-License-Identifier: Apache-2.0
"""Guests that require an attested host, on a cloud of real processes.

What a verifier refuses, and when it is down, is in test_attestation.py; many
hosts, two attestors, and one that is killed at each request in
tests/functional/placement/test_attestor.py.
"""

import contextlib
import time

import pytest

from tests.attestation.conftest import row_of_cloud as row
from tests.attestation.world import (
    HONEST,
    LIAR,
    REGISTER,
    until,
)

TRAIT = "CUSTOM_VHARD_ATTESTED"
REFUSED = (
    "no host of this cloud has passed the checks attested; ask the cloud's "
    "operator, or use a flavor without vhard:require"
)
# Of the hosts with room, while another one is attested that has none.
NO_ROOM = (
    "no host with room for this server has passed the checks attested; try "
    "again later, or use a flavor without vhard:require"
)


@pytest.fixture
def honest_alone(watched):
    """Both hosts are attested; the liar's host takes no guest."""
    watched.recover()
    with disabled(watched, LIAR):
        yield watched


@contextlib.contextmanager
def disabled(world, host):
    """Disable the compute service of a host."""
    compute = world.admin.compute()
    (service,) = compute.services(host=host.name)
    compute.disable_service(service)
    try:
        yield
    finally:
        compute.enable_service(service)


def show(what, text):
    """Print what an operator sees, for readers of the test output."""
    print(f"\n{what}\n{text}")


def test_before_anybody_is_attested(world):
    assert REFUSED in world.lands_on()
    world.switch_on()
    row("no host is attested yet", "the refusal of a boot says what to do")


def test_a_register_is_extended(honest_alone):
    world = honest_alone
    listed = world.list_hosts()
    show("$ openstack vhard host list -c Host -c attested -c iommu", listed)
    cells = [word.strip() for word in _line(listed, HONEST.name)]
    assert cells == ["", HONEST.name, "PASS", "PASS", ""]
    server, host, _ = world.boot()
    show("$ openstack server create --flavor confidential.tiny", host)
    assert host == HONEST.name
    world.machines[HONEST.name].extend(REGISTER, "a rootkit")
    start = time.monotonic()
    until(lambda: world.refused(HONEST.name))
    noticed = time.monotonic() - start
    assert world.attestor.once()
    assert TRAIT not in world.traits(HONEST.name)
    # A scheduler keeps an answer for a second here.
    time.sleep(1.5)
    refusal = world.lands_on()
    show("$ openstack server create --flavor confidential.tiny", refusal)
    listed = world.list_hosts()
    show("$ openstack vhard host list -c Host -c attested -c iommu", listed)
    cells = [word.strip() for word in _line(listed, HONEST.name)]
    assert sorted(cells[2:4]) == ["-", "PASS"]
    assert NO_ROOM in refusal
    assert world.member.settle(server).status == "ACTIVE"
    world.member.remove(server)
    row("a guest that requires attestation", f"runs on {host}")
    row(
        "a PCR is extended",
        f"refused in {noticed:.1f} s, no trait after the next round; the "
        "next boot is refused, the running guest stays",
    )


def _line(listed, name):
    (line,) = [line for line in listed.splitlines() if f" {name} " in line]
    return line.split("|")


def test_the_registrar_is_lost(honest_alone):
    world = honest_alone
    registrar = world.keylime.registrar
    registrar.stop()
    try:
        before = world.verified(HONEST.name)
        until(lambda: world.verified(HONEST.name) > before + 1)
        assert world.attestor.once()
        assert world.lands_on() == HONEST.name
    finally:
        registrar.start()
    row("the registrar is lost", "hosts stay attested; none can be added")
