# SPDX-License-Identifier: Apache-2.0
"""A host's own credential: what it may do, and what it may not.

Keystone's access rules, checked by keystonemiddleware before Placement.
"""

import contextlib

import pytest
from keystoneauth1 import loading
from oslo_config import cfg

from cloud import services, users
from cloud.machines import CRYPTO_ADDRESS, MACHINES, PROVEN
from nova_vhard.catalogue import traits
from nova_vhard.conf import placement as placement_conf
from nova_vhard.placement import devices
from nova_vhard.placement.client import Conflict, Placement, PlacementError
from nova_vhard.placement.connect import AdapterClient, connect
from tests.integration.people import Person, until

TRIED = "CUSTOM_VHARD_TRIED"
OWN, OTHER, LEAVING = MACHINES


def login(cloud, machine, program="reporter"):
    """Return the configuration that a program of a machine has."""
    conf = cfg.ConfigOpts()
    files = (
        services.reporter_file(cloud.facts, machine),
        services.credential(cloud.facts, machine, program),
    )
    conf([], default_config_files=[str(file) for file in files])
    placement_conf.register(conf)
    return conf


def session(conf):
    """Return a keystoneauth session by it."""
    auth = loading.load_auth_from_conf_options(conf, "placement")
    return loading.load_session_from_conf_options(conf, "placement", auth=auth)


def put(cloud, own, machine, **headers):
    """Add a trait to a machine's provider; return the status.

    Taken away again, by an administrator's rights, if it was written.
    """
    admin = Person(cloud.facts, users.ADMIN).sdk().placement
    place = f"/resource_providers/{machine.node}/traits"
    body = admin.get(place, microversion="1.6").json()
    answer = own.put(
        place,
        json={**body, "traits": [*body["traits"], TRIED]},
        endpoint_filter={"service_type": "placement"},
        headers={"OpenStack-API-Version": "placement 1.39", **headers},
        raise_exc=False,
    )
    if answer.status_code == 200:
        again = {**answer.json(), "traits": body["traits"]}
        assert admin.put(place, json=again, microversion="1.6").ok
    return answer.status_code


def refused(write):
    """Return whether keystonemiddleware refuses what a program sends."""
    with pytest.raises(PlacementError, match="401"):
        write()
    return True


@pytest.fixture(scope="module", autouse=True)
def tried(cloud):
    """The trait that tests write."""
    admin = Person(cloud.facts, users.ADMIN).sdk().placement
    assert admin.put(f"/traits/{TRIED}", microversion="1.6").ok


def test_a_reporter_reads_what_it_needs_and_writes_for_its_own_host(cloud):
    # given
    conf = login(cloud, OWN)
    placement = connect(conf)
    # when and then
    assert placement.provider(uuid=OWN.node).name == OWN.name
    assert placement.provider(name=OTHER.name).uuid == OTHER.node
    assert placement.known({TRIED}) == {TRIED}
    own = session(conf)
    assert put(cloud, own, OWN) == 200
    assert put(cloud, own, OTHER) == 401
    with pytest.raises(PlacementError, match="401"):
        placement.inventories(OWN.node)
    with pytest.raises(PlacementError, match="401"):
        placement.create_traits(["CUSTOM_OTHER"])
    # and what its rules allow, its role does not
    with pytest.raises(PlacementError, match="403"):
        placement.create_traits(["CUSTOM_VHARD_OTHER"])


@pytest.fixture
def device(cloud):
    """A one-time-use device of OWN's, which is enrolled with it."""
    placement = Person(cloud.facts, users.ADMIN).sdk().placement
    device = f"{OWN.name}_{CRYPTO_ADDRESS}"
    body = {"name": device, "parent_provider_uuid": OWN.node}
    made = placement.post(
        "/resource_providers", json=body, microversion="1.20"
    )
    place = f"/resource_providers/{made.json()['uuid']}"
    kind = "CUSTOM_PCI_8086_37C8"
    assert placement.put(f"/resource_classes/{kind}", microversion="1.7").ok
    for part, body in (
        ("inventories", {"inventories": {kind: {"total": 1}}}),
        ("traits", {"traits": [traits.ONE_TIME_USE]}),
    ):
        now = placement.get(place, microversion="1.20").json()["generation"]
        body = {**body, "resource_provider_generation": now}
        answer = placement.put(
            f"{place}/{part}", json=body, microversion="1.20"
        )
        assert answer.ok, answer.text
    cloud.enroll(OWN, force=True)
    yield
    assert placement.delete(place).ok
    cloud.enroll(OWN, force=True)
    cloud.stop(f"reporter-{OWN.name}")
    cloud.start(f"reporter-{OWN.name}")


def test_a_cleaner_reserves_and_releases_the_devices_of_its_own_host(
    cloud, device
):
    # given
    everything = Person(cloud.facts, users.ADMIN).sdk().placement
    admin = Placement(AdapterClient(everything))
    theirs = admin.inventories(OTHER.node)[0]
    processors = admin.inventories(OWN.node)[0]
    # when
    cleaner = connect(login(cloud, OWN, "cleaner"))
    (offered,), faults = devices.offered(cleaner, cleaner.provider(OWN.node))
    # then
    assert (offered.address, faults) == (CRYPTO_ADDRESS, [])
    for reserved in (1, 0):
        before = devices.view(cleaner, offered.provider).inventory
        cleaner.reserve(before, reserved)
        after = devices.view(cleaner, offered.provider).inventory
        assert after.reserved == reserved
        # what was read before is void
        with pytest.raises(Conflict):
            cleaner.reserve(before, 1)
    assert put(cloud, session(login(cloud, OWN, "cleaner")), OTHER) == 401
    assert refused(lambda: cleaner.inventories(OTHER.node))
    assert refused(lambda: cleaner.reserve(theirs, 1))
    # not even its own host's processors
    assert refused(lambda: cleaner.reserve(processors, 1))


def test_its_own_token_as_a_service_token_changes_nothing(cloud, service):
    # given
    own = session(login(cloud, OWN))
    forged = {"X-Service-Token": own.get_token()}
    # when and then
    assert put(cloud, own, OTHER, **forged) == 401
    # what a service of the cloud confirms is held by no rule
    confirmed = {"X-Service-Token": service.token}
    assert put(cloud, own, OTHER, **confirmed) == 200


def test_it_makes_no_further_credential(cloud):
    own = session(login(cloud, OWN))
    answer = own.post(
        f"{cloud.facts.url('keystone')}/v3/users/{own.get_user_id()}"
        "/application_credentials",
        json={"application_credential": {"name": "more"}},
        raise_exc=False,
    )
    assert answer.status_code in (401, 403)


def test_an_audit_lists_the_services_and_no_host(admin):
    answer = admin.command(
        *("vhard", "host", "audit", "-f", "value"),
        *("-c", "User", "-c", "By", "-c", "Role"),
    )
    assert answer.success, answer.text
    assert sorted(answer.text.splitlines()) == [
        "admin login admin",
        "attestor login vhard-attestor",
        "nova-compute login service",
        "service login admin",
        "service login service",
    ]


@contextlib.contextmanager
def leaving(cloud, admin, machine):
    """Stop a machine's reporter; at the end the machine is back."""
    name = f"reporter-{machine.name}"
    cloud.stop(name)
    try:
        yield
    finally:
        cloud.enroll(machine, force=True)
        cloud.start(name)
        until(lambda: has_traits(admin, machine))


def has_traits(admin, machine):
    return any("VHARD" in name for name in admin.traits(machine.node))


def test_a_host_that_is_withdrawn_can_do_nothing_any_more(cloud, admin):
    # given
    own = session(login(cloud, LEAVING))
    token = own.get_token()
    with leaving(cloud, admin, LEAVING):
        # when
        answer = admin.command("vhard", "host", "withdraw", LEAVING.name)
        # then
        assert answer.success, answer.text
        assert f"user vhard-host-{LEAVING.name} is gone" in answer.text
        assert not has_traits(admin, LEAVING)
        gone = "Could not find Application Credential"
        with pytest.raises(PlacementError, match=gone):
            connect(login(cloud, LEAVING)).known({TRIED})
        # and what it is logged in by, Keystone does not know any more
        asked = admin.session.get(
            f"{cloud.facts.url('keystone')}/v3/auth/tokens",
            headers={"X-Subject-Token": token},
            raise_exc=False,
        )
        assert asked.status_code == 404
    # and another host is not concerned
    assert put(cloud, session(login(cloud, PROVEN)), PROVEN) == 200
