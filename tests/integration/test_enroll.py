# SPDX-License-Identifier: Apache-2.0
"""A host's own credential: what it may do, and what it may not.

Keystone's access rules, checked by keystonemiddleware before Placement.
"""

import time

import pytest
from keystoneauth1 import loading
from oslo_config import cfg

from cloud import services, users
from cloud.machines import CRYPTO_ADDRESS, MACHINES
from nova_vhard.catalogue import traits
from nova_vhard.conf import placement as placement_conf
from nova_vhard.placement import devices, marks
from nova_vhard.placement.client import Conflict, Placement, PlacementError
from nova_vhard.placement.connect import AdapterClient, connect
from tests.integration.people import Person, restart, until

TRIED = "CUSTOM_VHARD_TRIED"
OWN, OTHER, LEAVING = MACHINES


@pytest.fixture
def login(cloud):
    """Return a function that loads the configuration of a program."""

    def configured(machine, program="reporter"):
        conf = cfg.ConfigOpts()
        files = (
            services.reporter_file(cloud.facts, machine),
            services.credential(cloud.facts, machine, program),
        )
        conf([], default_config_files=[str(file) for file in files])
        placement_conf.register(conf)
        return conf

    return configured


def session(conf):
    """Return a keystoneauth session by a configuration."""
    auth = loading.load_auth_from_conf_options(conf, "placement")
    return loading.load_session_from_conf_options(conf, "placement", auth=auth)


@pytest.fixture
def put(admin):
    """Return a function that adds a trait to a machine's provider.

    Taken away again, by an administrator's rights, if it was written.
    """
    placement = admin.sdk().placement
    assert placement.put(f"/traits/{TRIED}", microversion="1.6").ok

    def add(own, machine, **headers):
        place = f"/resource_providers/{machine.node}/traits"
        body = placement.get(place, microversion="1.6").json()
        answer = own.put(
            place,
            json={**body, "traits": [*body["traits"], TRIED]},
            endpoint_filter={"service_type": "placement"},
            headers={"OpenStack-API-Version": "placement 1.39", **headers},
            raise_exc=False,
        )
        if answer.status_code == 200:
            again = {**answer.json(), "traits": body["traits"]}
            assert placement.put(place, json=again, microversion="1.6").ok
        return answer.status_code

    return add


def refused(status, write, *arguments):
    """Check that a request is refused; an access rule refuses with 401."""
    with pytest.raises(PlacementError, match=status):
        write(*arguments)


def test_a_reporter_reads_what_it_needs_and_writes_for_its_own_host(
    login, put
):
    conf = login(OWN)
    own, placement = session(conf), connect(conf)
    assert put(own, OWN) == 200
    assert put(own, OTHER) == 401
    assert placement.provider(uuid=OWN.node).name == OWN.name
    assert placement.provider(name=OTHER.name).uuid == OTHER.node
    assert placement.known({TRIED}) == {TRIED}
    refused("401", placement.inventories, OWN.node)
    refused("401", placement.create_traits, ["CUSTOM_OTHER"])
    # and what its rules allow, its role does not
    refused("403", placement.create_traits, ["CUSTOM_VHARD_OTHER"])


@pytest.fixture
def device(cloud, admin):
    """A one-time-use device of OWN's, which is enrolled with it."""
    placement = admin.sdk().placement
    kind = "CUSTOM_PCI_8086_37C8"
    assert placement.put(f"/resource_classes/{kind}", microversion="1.7").ok
    body = {"name": f"{OWN.name}_{CRYPTO_ADDRESS}"}
    made = placement.post(
        "/resource_providers",
        json={**body, "parent_provider_uuid": OWN.node},
        microversion="1.20",
    )
    place = f"/resource_providers/{made.json()['uuid']}"
    for part, body in (
        ("inventories", {"inventories": {kind: {"total": 1}}}),
        ("traits", {"traits": [traits.ONE_TIME_USE]}),
    ):
        now = placement.get(place, microversion="1.20").json()["generation"]
        body = {**body, "resource_provider_generation": now}
        path = f"{place}/{part}"
        assert placement.put(path, json=body, microversion="1.20").ok
    cloud.enroll(OWN, force=True)
    yield
    assert placement.delete(place).ok
    cloud.enroll(OWN, force=True)
    restart(cloud, f"reporter-{OWN.name}")


def test_a_cleaner_reserves_and_releases_the_devices_of_its_own_host(
    admin, login, put, device
):
    everything = Placement(AdapterClient(admin.sdk().placement))
    theirs = everything.inventories(OTHER.node)[0]
    processors = everything.inventories(OWN.node)[0]
    conf = login(OWN, "cleaner")
    cleaner = connect(conf)
    (offered,), faults = devices.offered(cleaner, cleaner.provider(OWN.node))
    assert (offered.address, faults) == (CRYPTO_ADDRESS, [])
    for reserved in (1, 0):
        before = devices.view(cleaner, offered.provider).inventory
        cleaner.reserve(before, reserved)
        after = devices.view(cleaner, offered.provider).inventory
        assert after.reserved == reserved
        # what was read before is void
        with pytest.raises(Conflict):
            cleaner.reserve(before, 1)
    assert put(session(conf), OTHER) == 401
    refused("401", cleaner.inventories, OTHER.node)
    refused("401", cleaner.reserve, theirs, 1)
    # not even its own host's processors
    refused("401", cleaner.reserve, processors, 1)


def test_its_own_token_as_a_service_token_changes_nothing(login, put, service):
    own = session(login(OWN))
    forged = {"X-Service-Token": own.get_token()}
    assert put(own, OTHER, **forged) == 401
    # what a service of the cloud confirms is held by no rule
    confirmed = {"X-Service-Token": service.token}
    assert put(own, OTHER, **confirmed) == 200


def test_it_cannot_create_another_credential(cloud, login):
    own = session(login(OWN))
    answer = own.post(
        f"{cloud.facts.url('keystone')}/v3/users/{own.get_user_id()}"
        "/application_credentials",
        json={"application_credential": {"name": "more"}},
        raise_exc=False,
    )
    assert answer.status_code in (401, 403)


@pytest.mark.parametrize(
    ("who", "status"), [("reporter", 401), ("nova-compute", 403)]
)
def test_no_credential_of_a_host_gets_it_a_guest(
    cloud, admin, login, who, status
):
    """Through Nova, Keystone, or a mark that says that it is attested."""
    nova, keystone, placement = (
        cloud.facts.url(name) for name in ("nova", "keystone", "placement")
    )
    identity = admin.sdk().identity
    grant = (
        f"projects/{identity.find_project('service').id}"
        f"/users/{identity.find_user(users.COMPUTE.name).id}"
        f"/roles/{identity.find_role('admin').id}"
    )
    flavor, image = f"{nova}/v2.1/flavors/1", admin.image_id("clean")
    server = {"name": "forced", "flavorRef": "1", "imageRef": image}
    server["availability_zone"] = f"nova:{OWN.name}"
    mark = marks.make(b"f" * 32, int(time.time()) + 3600, [OWN.node]).name
    logins = {
        "reporter": session(login(OWN)),
        "nova-compute": Person(cloud.facts, users.COMPUTE).session,
    }
    version = {"OpenStack-API-Version": "placement 1.39"}
    statuses = {
        f"{method} {url}": logins[who]
        .request(url, method, json=body, headers=version, raise_exc=False)
        .status_code
        for method, url, body in (
            ("POST", f"{nova}/v2.1/servers", {"server": server}),
            ("GET", f"{nova}/v2.1/servers?all_tenants=1", None),
            ("DELETE", f"{flavor}/os-extra_specs/vhard:require", None),
            ("PUT", f"{keystone}/v3/{grant}", None),
            ("PUT", f"{placement}/traits/{mark}", None),
        )
    }
    assert statuses == dict.fromkeys(statuses, status)


def test_an_audit_lists_the_services_and_no_host(admin):
    answer = admin.command(
        *("vhard", "host", "audit", "-f", "value"),
        *("-c", "User", "-c", "By", "-c", "Role"),
    )
    assert sorted(answer.text.splitlines()) == [
        "admin login admin",
        "attestor login vhard-attestor",
        "nova-compute login service",
        "service login admin",
        "service login service",
    ]


@pytest.fixture
def leaving(cloud, admin):
    """Stop a machine's reporter, and enroll the machine again at the end.

    :returns: function that returns its traits that are ours
    """

    def ours():
        return [it for it in admin.traits(LEAVING.node) if "VHARD" in it]

    cloud.stop(f"reporter-{LEAVING.name}")
    yield ours
    cloud.enroll(LEAVING, force=True)
    cloud.start(f"reporter-{LEAVING.name}")
    until(ours)


def test_a_withdrawn_host_has_no_access(cloud, admin, login, put, leaving):
    token = session(login(LEAVING)).get_token()
    answer = admin.command("vhard", "host", "withdraw", LEAVING.name)
    assert answer.success, answer.text
    assert f"user vhard-host-{LEAVING.name} is gone" in answer.text
    assert not leaving()
    gone = "Could not find Application Credential"
    refused(gone, connect(login(LEAVING)).known, {TRIED})
    # and Keystone no longer knows its token
    asked = admin.session.get(
        f"{cloud.facts.url('keystone')}/v3/auth/tokens",
        headers={"X-Subject-Token": token},
        raise_exc=False,
    )
    assert asked.status_code == 404
    # and another host is not concerned
    assert put(session(login(OWN)), OWN) == 200
