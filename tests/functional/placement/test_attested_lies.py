# SPDX-License-Identifier: Apache-2.0
"""Attacks in Placement by a compute node's owner, to count as attested.

The owner's host was attested until its machine was changed; the owner knows
every name that existed, and has every login of a compute node.
"""

import contextlib

import pytest

from nova_vhard.attestor import writer
from nova_vhard.placement.client import PlacementError
from tests.functional.placement.attestors import COMPUTE, TRAIT, Story

#: Roles of the logins, as Placement's policy and Keystone have them: what
#: each may write, and who has it.
NOVA, RESTRICTED, REPORTER = (
    "service",
    "service,vhard-compute",
    "vhard-reporter",
)


class Owner(Story):
    """The owner of host ``liar``, beside an honest one.

    :ivar kept: names of all marks while both were attested
    """

    def __init__(self, cloud, folder):
        super().__init__(cloud, folder)
        self.happens("hosts_of good liar, start, attested good liar")
        self.good, self.liar = self.names.values()
        self.kept, self.admin = self.marks(), cloud._adapter

    def fail(self):
        """Make the verifier refuse the owner's machine, and run a round."""
        self.fails("liar")
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
            self.verify()
            return self.minute(self.running, seconds)

    def chosen(self):
        """Return whether a scheduler would choose the owner's host."""
        with self.others():
            hosts = self.scheduler()
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
        self.cloud.send("PUT", f"/resource_providers/{provider}", body)

    # Attacks by nova-compute's login, which may write every provider.

    def exchanges_names(self):
        """By its name, the honest host's agent would vouch for the other."""
        self.put(self.good, name="nobody")
        self.put(self.liar, name="good")
        self.put(self.good, name="liar")
        self.claim(self.liar, TRAIT, *self.kept)

    def makes_its_provider_again_by_another_name(self):
        for provider in (self.liar, self.good):
            self.cloud.send("DELETE", f"/resource_providers/{provider}")
        self.cloud.make(uuid=self.liar, name="good")
        self.claim(self.liar, COMPUTE, TRAIT)

    def adopts_the_honest_hosts_provider(self):
        self.put(self.good, name="good", parent_provider_uuid=self.liar)

    def shares_a_child_of_its_own(self):
        child = self.cloud.make(name="child", parent_provider_uuid=self.liar)
        shared = "MISC_SHARES_VIA_AGGREGATE"
        assert self.claim(child, TRAIT, COMPUTE, shared)
        for provider in (child, self.liar, self.good):
            body = {
                "aggregates": [child],
                "resource_provider_generation": self.cloud.traits(provider)[1],
            }
            url = f"/resource_providers/{provider}/aggregates"
            self.cloud.send("PUT", url, body)


@pytest.fixture
def owner(cloud, tmp_path):
    return Owner(cloud, tmp_path)


@pytest.mark.parametrize(
    "attack",
    [
        Owner.exchanges_names,
        Owner.makes_its_provider_again_by_another_name,
        Owner.adopts_the_honest_hosts_provider,
        Owner.shares_a_child_of_its_own,
    ],
)
def test_after_a_fail_it_is_not_chosen(owner, acting, attack):
    owner.fail()
    acting(NOVA)
    attack(owner)
    owner.round()
    assert not owner.chosen()
    assert TRAIT not in owner.cloud.traits(owner.liar)[0]


def test_marks_that_it_puts_on_its_host(owner, acting):
    """A trait that is in use cannot be deleted: it counts for nothing."""
    acting(REPORTER)
    assert owner.claim(owner.liar, *owner.kept)
    with owner.others():
        assert owner.scheduler() == frozenset()
        # The verifier has verified no host since: the mark is made free.
        assert owner.running.once()
        assert owner.scheduler() == {owner.good, owner.liar}
        assert owner.marks() == owner.kept
    assert owner.claim(owner.liar, *owner.kept)
    owner.fail()
    assert not owner.chosen()
    # and it is taken off, and away
    assert not owner.marks() & owner.kept
    assert owner.cloud.traits(owner.liar)[0] == {COMPUTE}


def test_it_holds_its_mark_again_and_again(owner):
    """While it does, nothing counts; and the round says so."""
    (name,) = owner.kept
    deletion = "DELETE", f"/traits/{name}"

    def hold():
        owner.claim(owner.liar, name)
        owner.cloud.before(*deletion, hold)

    owner.cloud.before(*deletion, hold)
    assert not owner.fail()
    assert owner.running.numbers.errors["host"] == 1
    assert not owner.chosen()
    # Nor does it tell a new attestor anything: one that is started while the
    # verifier is down knows of no FAIL.
    owner.cloud.faults.clear()
    assert name in owner.marks()
    owner.claim(owner.liar, TRAIT, name)
    first, owner.running = owner.running, owner.attestor()
    owner.down = True
    for _ in range(2):
        assert not owner.round()
        assert not owner.chosen()
    # A host that is verified has a mark of its own since, and keeps that.
    assert owner.scheduler() == {owner.good}
    owner.down, owner.running = False, first
    assert owner.round()
    assert not owner.marks() & owner.kept
    assert not owner.chosen()


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
    (name,) = owner.marks()
    with pytest.raises(PlacementError, match="403"):
        stranger.delete_trait(name)


def test_with_that_right_its_own_last_mark_counts_until_it_is_over(
    owner, acting
):
    """The role vhard-compute prevents it; without it max_age limits it.

    The verifier is down afterwards. For the attestor the mark does not count:
    it reads marks only once.
    """
    owner.down = owner.fail()
    acting(NOVA)
    for seconds, counts in ((0, True), (600, False)):
        owner.seconds += seconds
        owner.claim(owner.liar, TRAIT)
        for name in owner.kept:
            owner.cloud.put(f"/traits/{name}", None, "1.39")
        assert owner.chosen() is counts
        assert not owner.round()
        assert not owner.chosen()


def test_very_many_names_that_look_like_marks(owner, monkeypatch):
    """A round deals with some of them, and the honest host stays."""
    monkeypatch.setattr(writer, "_MOST_VOID", 100)
    junk = {f"CUSTOM_VHATT_{number:010}_X" for number in range(150)}
    owner.cloud.insert(junk)
    assert owner.marks() == junk | owner.kept
    assert owner.round()
    assert owner.scheduler() == {owner.good, owner.liar}
    assert len(owner.marks()) == 51
