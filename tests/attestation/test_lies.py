# SPDX-License-Identifier: Apache-2.0
"""A compute node's owner, by every login that lies on it: none is a way in.

On the real Keystone, Placement and Nova. The owner's machine is not as it
should be, and it was attested until the verifier noticed; no other host takes
guests, so that nothing but the owner's host could be chosen.
"""

import contextlib
import re
import time

import pytest

from cloud import services, users
from nova_vhard.placement import marks
from nova_vhard.placement.client import PlacementError
from tests.attestation.conftest import row_of_cloud as row
from tests.attestation.test_cloud import TRAIT, disabled
from tests.attestation.world import (
    CONFIDENTIAL,
    HONEST,
    LIAR,
    MAX_AGE,
    REGISTER,
    connected,
    login,
    until,
)

CHILD = "5f3e2b1c-77a0-4f43-8e0a-0d1f0c9a7b52"
PLAIN = "plain-compute"
#: What lies on a compute node.
LOGINS = ("enrolled reporter", "nova-compute", "service alone")
VERSION = {"OpenStack-API-Version": "placement 1.39"}


class Owner:
    """The owner of a host.

    :ivar kept: names of the marks that there were while it was attested
    """

    def __init__(self, world, folder):
        self.world = world
        facts = world.cloud.facts
        _make_plain_user(world)
        self.logins = {
            "enrolled reporter": connected(
                folder,
                services.credential(facts, LIAR).read_text(),
            ),
            "nova-compute": connected(
                folder, login(facts, users.COMPUTE.name)
            ),
            "service alone": connected(folder, login(facts, PLAIN)),
        }
        self.admin = world.admin.sdk().placement
        self.kept = set(self.logins["nova-compute"].marks())

    def send(self, who, method, path, body=None):
        """Send a request; return its status."""
        adapter = self.logins[who]._client._adapter
        answer = getattr(adapter, method)(
            path, json=body, headers=VERSION, raise_exc=False
        )
        return answer.status_code

    def make(self, who, *names):
        """Make names of traits; return the statuses, each once."""
        return {self.send(who, "put", f"/traits/{name}") for name in names}

    def claim(self, who, provider, *names):
        """Write traits of a provider, beside those that are there."""
        path = f"/resource_providers/{provider}/traits"
        body = self.admin.get(path, microversion="1.39").json()
        body["traits"] = sorted({*body["traits"], *names})
        return self.send(who, "put", path, body)

    def change(self, who, provider, **more):
        path = f"/resource_providers/{provider}"
        return self.send(who, "put", path, more)

    def restore(self):
        """Take away what was done, by an administrator's rights."""
        admin = self.admin
        for host, name in ((HONEST, "x1"), (LIAR, "x2")):
            self._name(host, name)
        for host in (HONEST, LIAR):
            self._name(host, host.name)
            path = f"/resource_providers/{host.node}/traits"
            body = admin.get(path, microversion="1.39").json()
            body["traits"] = [it for it in body["traits"] if "VHATT" not in it]
            if host is LIAR:
                body["traits"] = [it for it in body["traits"] if it != TRAIT]
            assert admin.put(path, json=body, microversion="1.39").ok
            path = f"/resource_providers/{host.node}/aggregates"
            body = admin.get(path, microversion="1.39").json()
            body["aggregates"] = []
            assert admin.put(path, json=body, microversion="1.39").ok
        admin.delete(f"/resource_providers/{CHILD}")

    def _name(self, host, name):
        answer = self.admin.put(
            f"/resource_providers/{host.node}",
            json={"name": name, "parent_provider_uuid": None},
            microversion="1.39",
        )
        assert answer.ok, answer.text


def _make_plain_user(world):
    """Make a login as nova-compute has it by default."""
    identity = world.admin.sdk().identity
    project = identity.find_project("service")
    user = identity.create_user(
        name=PLAIN,
        password=world.cloud.facts.password,
        domain_id="default",
        default_project_id=project.id,
    )
    identity.assign_project_role_to_user(
        project, user, identity.find_role("service")
    )


@pytest.fixture(scope="module")
def owner(watched, tmp_path_factory):
    """Its machine was changed; the only host that takes guests is its own."""
    world = watched
    world.recover()
    owner = Owner(world, tmp_path_factory.mktemp("logins"))
    with disabled(world, HONEST):
        # given that it would be chosen, if it was attested
        assert world.lands_on() == LIAR.name
        world.machines[LIAR.name].extend(REGISTER, "a rootkit")
        until(lambda: world.refused(LIAR.name))
        assert world.attestor.once()
        owner.refused_at = time.time()
        time.sleep(1.5)
        assert "attested" in world.lands_on()
        yield owner


@pytest.fixture
def tried(owner):
    yield owner
    with contextlib.suppress(PlacementError):
        owner.restore()


def never(owner):
    """No guest is put on its host, neither before a round nor after it."""
    nobody = "No valid host was found"
    time.sleep(1.5)
    assert nobody in owner.world.lands_on()
    owner.world.attestor.once()
    time.sleep(1.5)
    assert nobody in owner.world.lands_on()


def requests_to_others(owner, who):
    """Ask Nova and Keystone for what would put a guest on its host.

    :returns: what, with the status of the answer
    """
    facts, world = owner.world.cloud.facts, owner.world
    session = owner.logins[who]._client._adapter.session
    nova, keystone = f"{facts.url('nova')}/v2.1", f"{facts.url('keystone')}/v3"
    identity = world.admin.sdk().identity
    admin, project, user = (
        identity.find_role("admin").id,
        identity.find_project("service").id,
        identity.find_user(PLAIN).id,
    )
    server = {
        "name": "forced",
        "flavorRef": CONFIDENTIAL.id,
        "imageRef": world.admin.image.find_image("clean").id,
        "networks": "none",
        "availability_zone": f"nova:{LIAR.name}",
    }
    version = {"OpenStack-API-Version": "compute 2.90"}
    specs = f"{nova}/flavors/{CONFIDENTIAL.id}/os-extra_specs"
    grant = f"projects/{project}/users/{user}/roles/{admin}"
    for what, method, url, body in (
        ("a server on it", "POST", f"{nova}/servers", {"server": server}),
        ("the flavor", "DELETE", f"{specs}/vhard:require", None),
        ("the role admin", "PUT", f"{keystone}/{grant}", None),
        ("all servers", "GET", f"{nova}/servers?all_tenants=1", None),
    ):
        answer = session.request(
            url, method, json=body, headers=version, raise_exc=False
        )
        yield what, answer.status_code


@pytest.mark.parametrize("who", LOGINS)
def test_nova_and_keystone_do_nothing_for_it(tried, who):
    answers = dict(requests_to_others(tried, who))
    assert set(answers.values()) <= {400, 401, 403, 404}, answers
    never(tried)
    text = ", ".join(f"{what}: {it}" for what, it in answers.items())
    row(f"{who}: Nova and Keystone", text)


def test_its_own_mark_again_by_role_service_alone(tried):
    """Test a replayed mark, which only vhard-compute or max_age prevents.

    The first test: the mark lasts for a minute after the last success.
    """
    tried.make("service alone", TRAIT, *tried.kept)
    tried.claim("service alone", LIAR.node, TRAIT)
    time.sleep(1.5)
    before = tried.world.lands_on() == LIAR.name
    tried.world.attestor.once()
    time.sleep(1.5)
    assert "attested" in tried.world.lands_on()
    time.sleep(max(0.0, tried.refused_at + MAX_AGE + 2 - time.time()))
    tried.make("service alone", TRAIT, *tried.kept)
    tried.claim("service alone", LIAR.node, TRAIT)
    never(tried)
    row(
        "service alone: its last mark again",
        f"{'chosen' if before else 'not chosen'} until the next round; never "
        "once max_age is over",
    )


def the_trait(owner, who):
    owner.make(who, TRAIT)
    return {owner.claim(who, LIAR.node, TRAIT)}


def forged_marks(owner, who):
    until_then = int(time.time()) + 3600
    mine = marks.make(b"f" * 32, until_then, [LIAR.node]).name
    later = [
        re.sub(r"_([0-9]{10})_", f"_{until_then}_", name)
        for name in owner.kept
    ]
    done = owner.make(who, mine, *later)
    the_trait(owner, who)
    return done


def others_marks(owner, who):
    """Those that are there, on its own provider."""
    names = sorted(owner.logins[who].marks())
    return {owner.claim(who, LIAR.node, TRAIT, *names)}


def names_exchanged(owner, who):
    done = {
        owner.change(who, HONEST.node, name="nobody"),
        owner.change(who, LIAR.node, name=HONEST.name),
        owner.change(who, HONEST.node, name=LIAR.name),
    }
    return done | the_trait(owner, who)


def a_child(owner, who):
    done = owner.change(
        who, HONEST.node, name=HONEST.name, parent_provider_uuid=LIAR.node
    )
    return {done} | the_trait(owner, who)


def child_and_aggregate(owner, who):
    done = {
        owner.send(
            who,
            "post",
            "/resource_providers",
            {
                "uuid": CHILD,
                "name": "child",
                "parent_provider_uuid": LIAR.node,
            },
        )
    }
    done.add(owner.claim(who, CHILD, TRAIT) if done == {200} else 401)
    for node in (HONEST.node, LIAR.node):
        path = f"/resource_providers/{node}/aggregates"
        body = owner.admin.get(path, microversion="1.39").json()
        body["aggregates"] = [CHILD]
        done.add(owner.send(who, "put", path, body))
    return done


@pytest.mark.parametrize("who", LOGINS)
@pytest.mark.parametrize(
    "lie",
    [
        the_trait,
        forged_marks,
        others_marks,
        names_exchanged,
        a_child,
        child_and_aggregate,
    ],
    ids=lambda it: it.__name__.replace("_", " "),
)
def test_no_login_is_a_way_in(tried, who, lie):
    statuses = lie(tried, who)
    never(tried)
    answers = ", ".join(str(it) for it in sorted(statuses))
    name = lie.__name__.replace("_", " ")
    row(f"{who}: {name}", f"Placement answers {answers}: never chosen")


@pytest.mark.parametrize("who", LOGINS[:2])
def test_its_own_mark_again(tried, who):
    assert tried.make(who, *tried.kept) <= {401, 403}
    the_trait(tried, who)
    never(tried)
    row(f"{who}: its last mark again", "cannot be made: never chosen")
