# SPDX-License-Identifier: Apache-2.0
"""A guest that requires ``attested``, and a host whose owner lies.

The owner has every login to Placement that lies on a compute node: that of the
reporter, and nova-compute's, which may write every provider and every name.
"""

import datetime

from nova import context

from nova_vhard.catalogue import traits
from nova_vhard.placement import marks
from nova_vhard.placement.client import Placement
from tests.functional.nova.passthrough import base, fleet
from tests.functional.placement.attestors import Desk

TRUE, LIAR = "host1", "host2"
NOBODY = fleet.NOBODY.format("attested")
HOUR = datetime.timedelta(hours=1)
REQUIRE = {"vhard:require": "attested"}


class Attested(base.FakeHosts):
    """An attestor beside the cloud, and a verifier that knows host1 alone."""

    HOSTS = (TRUE, LIAR)
    POLICY = ""

    def setUp(self):
        super().setUp()
        self.desk = Desk(self.reporter, self.folder)
        self.flags(attestation_key_file=str(self.desk.key), group="vhard")
        agents = {TRUE: "agent1", LIAR: "agent2"}
        self.desk.hosts = {
            self.provider(host): agents[host] for host in agents
        }
        self.desk.map()
        self.desk.verified = {"agent1": 0.0}
        self.attestor = self.desk.attestor()
        self.stranger = Placement(self.reporter)
        self.wanted = self.spec_of({})
        self.wanted.flavor.extra_specs = REQUIRE

    def states(self, *hosts):
        """Return hosts, or else both, as Nova's scheduler sees them."""
        manager = self.scheduler.manager.host_manager
        nodes = [self.provider(host) for host in hosts or (TRUE, LIAR)]
        admin = context.get_admin_context()
        return [*manager.get_host_states_by_uuids(admin, nodes, None)]

    def none(self, reason):
        """No host is left, for this reason."""
        self.assertIn(reason, self.reason(self.states(), self.wanted))

    def only(self):
        """The true host is left alone."""
        self.assertEqual([TRUE], self.left(self.states(), self.wanted))

    def attest(self):
        """Let time pass, and the attestor do a round."""
        self.later()
        self.desk.seconds = self.seconds
        self.desk.verify()
        assert self.attestor.once()
        self.later()

    def marks(self):
        """Return the marks that are there."""
        return sorted(self.stranger.marks())

    def claim(self, host, *names):
        """Write traits of a host's provider, as nova-compute's login may."""
        provider = self.provider(host)
        url = f"/resource_providers/{provider}/traits"
        for name in names:
            self.reporter.put(f"/traits/{name}", None, "1.39")
        now, generation = self.stranger.traits_of(provider)
        body = {
            "traits": sorted(now.union(names)),
            "resource_provider_generation": generation,
        }
        answer = self.reporter.put(url, body, "1.39")
        self.assertEqual(200, answer.status_code, answer.text)


class TestRequire(Attested):
    def test_a_guest_lands_on_the_attested_host_alone(self):
        flavor = self.flavor(REQUIRE)
        self.assertEqual(
            NOBODY + "ask the cloud's operator, or use a flavor without "
            "vhard:require",
            self.refused(flavor),
        )
        self.attest()
        self.assertEqual(TRUE, self.lands_on(flavor))
        # when a register of its TPM is not as it should be
        self.desk.failed.add("agent1")
        self.attest()
        # then the next boot is refused, and what runs there runs on
        self.assertIn(NOBODY, self.refused(flavor))
        status = [server["status"] for server in self.servers()]
        self.assertEqual(1, status.count("ACTIVE"))

    def test_the_policy_requires_it_of_every_host(self):
        self.write_policy("hosts: {require: [attested]}\n")
        self.wanted = self.spec_of({})
        self.none(NOBODY)
        self.attest()
        self.only()

    def test_without_the_key_nobody_is_chosen(self):
        self.attest()
        self.desk.key.chmod(0o644)
        self.none(fleet.UNKNOWN.format("attested"))

    def test_a_mark_that_lasts_too_long_counts_for_nothing(self):
        self.attest()
        self.flags(attestation_max_age=300, group="vhard")
        self.none(NOBODY)


class TestTrust(Attested):
    POLICY = "hosts: {require: [iommu], trust: attested}\n"

    def setUp(self):
        super().setUp()
        self.wanted = self.spec_of({})

    def test_what_a_host_says_of_itself_counts_while_it_is_attested(self):
        self.prove(TRUE, LIAR)
        self.later()
        self.none(fleet.NOBODY.format("iommu"))
        self.attest()
        self.only()
        # and attestation does not replace a check that the host fails
        self.prove(TRUE, tree="none", at=self.now())
        self.later()
        self.none(fleet.NOBODY.format("iommu"))

    def test_a_guest_that_requires_nothing_boots_anywhere(self):
        self.write_policy("hosts: {trust: attested}\n")
        left = self.left(self.states(), self.wanted)
        self.assertEqual([TRUE, LIAR], sorted(left))


class TestLiar(Attested):
    """Every way that a login to Placement gives: none is one."""

    POLICY = "hosts: {require: [iommu], trust: attested}\n"

    def setUp(self):
        super().setUp()
        self.prove(TRUE, LIAR)
        self.attest()
        self.only()

    def never(self, case=""):
        """The liar's host is not left, also where there is no other."""
        self.later()
        left = self.left(self.states(), self.wanted)
        self.assertEqual([TRUE], left, case)
        self.assertIn("attested", self.reason(self.states(LIAR), self.wanted))

    def forged(self, until, *code):
        """Return the name of a mark of its own, or with another's code."""
        name = marks.make(b"f" * 32, until, [self.provider(LIAR)]).name
        return "_".join((name.rpartition("_")[0], *code)) if code else name

    def test_what_it_can_write_by_itself(self):
        (real,) = self.marks()
        until = int(real.split("_")[2])
        hours = [traits.of_hour(self.now() + HOUR * n) for n in range(-2, 3)]
        claims = {
            "the trait alone": [],
            "a mark by another key": [self.forged(until)],
            "another's mark, its own provider in it": [
                self.forged(until, real.rpartition("_")[2])
            ],
            "all checks, and hours to come": [
                traits.of_check("iommu"),
                *hours,
            ],
        }
        before = self.traits(LIAR)
        for case, names in claims.items():
            self.claim(LIAR, traits.ATTESTED, *names)
            self.never(case)
            self._set_provider_traits(self.provider(LIAR), [*before])

    def test_the_trait_and_every_mark_of_others(self):
        self.claim(LIAR, traits.ATTESTED, *self.marks())
        # while it has them, nobody counts; the attestor takes them off
        self.later()
        self.none("attested")
        self.attest()
        self.never()

    def kept(self):
        """Attest the liar once; return the marks that its owner keeps."""
        self.desk.verified["agent2"] = self.seconds
        self.attest()
        kept = self.marks()
        self.desk.failed.add("agent2")
        self.attest()
        return kept

    def test_a_mark_that_lasts_longer(self):
        own = [
            name
            for name in self.kept()
            if self.provider(LIAR)
            in marks.read(name, self.desk.keys()).providers
        ]
        until = own[0].split("_")[2]
        later = own[0].replace(until, str(int(until) + 3600))
        self.claim(LIAR, traits.ATTESTED, later)
        self.never()

    def test_a_mark_that_is_over_is_over(self):
        """Until then it can be written again: that is what max_age bounds."""
        kept = self.kept()
        self.later(seconds=600)
        self.claim(LIAR, traits.ATTESTED, *kept)
        self.desk.seconds = self.seconds
        self.prove(TRUE, LIAR)
        self.attest()
        self.never()

    def test_a_hypervisor_that_the_policy_is_not_about(self):
        """As the liar's nova-compute could say."""
        node = self.compute_node(LIAR)
        self.addCleanup(node.save)
        self.addCleanup(setattr, node, "hypervisor_type", node.hypervisor_type)
        node.hypervisor_type = "ironic"
        node.save()
        self.never()
        # the same for a guest that is refused elsewhere
        self.write_policy(
            "guest_devices: {disk_bus: {allow: [scsi]}}\n" + self.POLICY
        )
        self.later()
        self.none("disk_bus")
