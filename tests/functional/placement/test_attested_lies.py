# SPDX-License-Identifier: Apache-2.0
"""Attacks in Placement by a compute node's owner, to count as attested.

The owner's host was attested until its machine was changed; the owner knows
every name that existed, and has every login of a compute node.
"""

import contextlib

import pytest
from keystonemiddleware import auth_token

from nova_vhard.attestor import writer
from nova_vhard.osc.host import access
from nova_vhard.placement import marks
from nova_vhard.placement.client import PlacementError
from tests.functional.placement.attestors import COMPUTE, TRAIT, Desk

BAD = "agent of liar"
#: Roles of the logins, as Placement's policy and Keystone have them: what
#: each may write, and who has it.
NOVA, RESTRICTED, REPORTER = (
    "service",
    "service,vhard-compute",
    "vhard-reporter",
)


class Owner:
    """The owner of host ``liar``, beside an honest one.

    :ivar kept: names of all marks while both were attested
    """

    def __init__(self, cloud, folder):
        self.cloud = cloud
        self.desk = Desk(cloud, folder)
        self.good, self.liar = map(self.desk.host, ("good", "liar"))
        self.attestor = self.desk.attestor()
        assert self.attestor.once()
        assert self.desk.scheduler() == {self.good, self.liar}
        self.kept = self.desk.marks()
        self.admin = cloud._adapter

    def fail(self):
        """Make the verifier refuse the owner's machine, and run a round."""
        self.desk.failed.add(BAD)
        return self.round()

    @contextlib.contextmanager
    def others(self):
        """Let the next requests be those of the honest."""
        mine, self.cloud._adapter = self.cloud._adapter, self.admin
        yield
        self.cloud._adapter = mine

    def round(self, seconds=60):
        """Let the verifier verify, and the attestor do a round."""
        with self.others():
            self.desk.verify()
            return self.desk.minute(self.attestor, seconds)

    def chosen(self):
        """Return whether a scheduler would choose the owner's host."""
        with self.others():
            hosts = self.desk.scheduler()
        assert hosts <= {self.good, self.liar}
        return self.liar in hosts

    def claim(self, provider, *names):
        """Write traits of a provider; return whether all names are there."""
        for name in names:
            self.cloud.put(f"/traits/{name}", None, "1.39")
        now, generation = self.cloud.traits(provider)
        traits = {"traits": sorted(now.union(names))}
        body = {**traits, "resource_provider_generation": generation}
        url = f"/resource_providers/{provider}/traits"
        return self.cloud.put(url, body, "1.39").status_code == 200

    def put(self, provider, **body):
        """Change a provider."""
        url = f"/resource_providers/{provider}"
        answer = self.cloud.put(url, body, "1.39")
        assert answer.status_code == 200, answer.text

    def post(self, **body):
        """Make a provider."""
        answer = self.cloud._adapter.post(
            "/resource_providers",
            json=body,
            headers={"OpenStack-API-Version": "placement 1.39"},
        )
        assert answer.status_code == 200, answer.text


@pytest.fixture
def owner(cloud, tmp_path):
    return Owner(cloud, tmp_path)


def test_names_of_providers_are_exchanged(owner, acting):
    """By its name, the honest host's agent would vouch for the other."""
    owner.fail()
    acting(NOVA)
    owner.put(owner.good, name="nobody")
    owner.put(owner.liar, name="good")
    owner.put(owner.good, name="liar")
    owner.claim(owner.liar, TRAIT, *owner.kept)
    assert owner.round()
    assert not owner.chosen()
    assert TRAIT not in owner.cloud.traits(owner.liar)[0]


def test_its_provider_is_made_again_by_another_name(owner, acting):
    owner.fail()
    acting(NOVA)
    for provider in (owner.liar, owner.good):
        url = f"/resource_providers/{provider}"
        assert owner.cloud.delete(url, "1.39").status_code == 204
    owner.post(uuid=owner.liar, name="good")
    owner.claim(owner.liar, COMPUTE, TRAIT)
    owner.round()
    assert not owner.chosen()
    assert TRAIT not in owner.cloud.traits(owner.liar)[0]


def test_the_honest_hosts_provider_becomes_its_child(owner, acting):
    owner.fail()
    acting(NOVA)
    owner.put(owner.good, name="good", parent_provider_uuid=owner.liar)
    assert owner.round()
    assert not owner.chosen()


def test_a_child_and_an_aggregate_of_its_own(owner, acting):
    owner.fail()
    acting(NOVA)
    child = "5f3e2b1c-77a0-4f43-8e0a-0d1f0c9a7b52"
    owner.post(uuid=child, name="child", parent_provider_uuid=owner.liar)
    shared = "MISC_SHARES_VIA_AGGREGATE"
    assert owner.claim(child, TRAIT, COMPUTE, shared)
    for provider in (child, owner.liar, owner.good):
        _, generation = owner.cloud.traits(provider)
        body = {
            "aggregates": [child],
            "resource_provider_generation": generation,
        }
        url = f"/resource_providers/{provider}/aggregates"
        assert owner.cloud.put(url, body, "1.39").status_code == 200
    owner.round()
    assert not owner.chosen()


def test_its_own_mark_is_put_on_a_host_so_that_it_stays(owner, acting):
    """A trait that is in use cannot be deleted: it counts for nothing."""
    acting(REPORTER)
    assert owner.claim(owner.liar, *owner.kept)
    assert not owner.chosen()
    owner.fail()
    assert not owner.chosen()
    # and it is taken off, and away
    assert not owner.desk.marks() & owner.kept
    assert owner.cloud.traits(owner.liar)[0] == {COMPUTE}


def test_marks_of_others_that_it_holds_are_made_free(owner, acting):
    acting(REPORTER)
    assert owner.claim(owner.liar, *owner.kept)
    with owner.others():
        assert owner.desk.scheduler() == frozenset()
        # The verifier has verified no host since.
        assert owner.attestor.once()
        assert owner.desk.scheduler() == {owner.good, owner.liar}
        assert owner.desk.marks() == owner.kept


def holds_its_mark(owner):
    """Make the liar claim its mark before each of its deletions."""
    (name,) = owner.kept

    def hold(method, path):
        if (method, path) == ("DELETE", f"/traits/{name}"):
            owner.cloud.faults.clear()
            owner.claim(owner.liar, name)
            owner.cloud.faults.append(hold)

    owner.cloud.faults.append(hold)
    return name


def test_it_holds_its_mark_again_and_again(owner):
    """While it does, nothing counts; and the round says so."""
    holds_its_mark(owner)
    assert not owner.fail()
    assert owner.attestor.numbers.errors["host"] == 1
    assert not owner.chosen()
    owner.cloud.faults.clear()
    assert owner.round()
    assert not owner.desk.marks() & owner.kept
    assert not owner.chosen()


def test_a_mark_that_it_holds_tells_no_new_attestor_anything(owner):
    """One that is started while the verifier is down knows of no FAIL."""
    name = holds_its_mark(owner)
    assert not owner.fail()
    assert name in owner.desk.marks()
    owner.cloud.faults.clear()
    owner.claim(owner.liar, TRAIT, name)
    owner.desk.down = True
    owner.attestor = owner.desk.attestor()
    for _ in range(2):
        assert not owner.round()
        assert not owner.chosen()
    # Whoever is verified has a mark of its own since, and keeps that.
    assert owner.desk.scheduler() == {owner.good}


@pytest.mark.parametrize("roles", [RESTRICTED, "admin,vhard-compute"])
def test_without_the_right_to_make_names_no_mark_comes_back(
    owner, acting, roles
):
    owner.fail()
    stranger = acting(roles)
    for name in owner.kept:
        with pytest.raises(PlacementError, match="403"):
            stranger.create_traits([name])
    assert not owner.claim(owner.liar, TRAIT, *owner.kept)
    assert owner.claim(owner.liar, TRAIT)
    assert not owner.chosen()
    # nor does it take one from others
    (name,) = owner.desk.marks()
    with pytest.raises(PlacementError, match="403"):
        stranger.delete_trait(name)


def test_with_that_right_its_own_last_mark_counts_until_it_is_over(
    owner, acting
):
    """The role vhard-compute prevents it; without it max_age limits it."""
    owner.fail()
    acting(NOVA)
    for seconds, counts in ((0, True), (600, False)):
        owner.desk.seconds += seconds
        owner.claim(owner.liar, TRAIT)
        for name in owner.kept:
            owner.cloud.put(f"/traits/{name}", None, "1.39")
        assert owner.chosen() is counts
        owner.round()
        assert not owner.chosen()


def test_no_access_rule_of_a_host_lets_it_make_a_mark():
    mark = marks.make(b"k" * 32, 10**9, ["0" * 32]).name
    for rule in (*access.of_reporter("u"), *access.of_cleaner("u", ["d"])):
        allows = auth_token._path_matches(f"/traits/{mark}", rule.path)
        assert not allows or rule.method == "GET"


def test_very_many_names_that_look_like_marks(owner, monkeypatch):
    """A round deals with some of them, and the honest host stays."""
    monkeypatch.setattr(writer, "_MOST_VOID", 100)
    junk = {f"CUSTOM_VHATT_{number:010}_X" for number in range(150)}
    owner.cloud.insert(junk)
    assert owner.desk.marks() == junk | owner.kept
    assert owner.round()
    assert owner.desk.scheduler() == {owner.good, owner.liar}
    assert len(owner.desk.marks()) == 51
