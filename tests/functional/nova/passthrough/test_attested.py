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
        self.desk.hosts = {
            self.provider(TRUE): "agent1",
            self.provider(LIAR): "agent2",
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


class TestTrust(Attested):
    POLICY = "hosts: {require: [iommu], trust: attested}\n"

    def setUp(self):
        super().setUp()
        self.wanted = self.spec_of({})
        self.prove(TRUE, LIAR)
        self.later()

    def test_the_results_of_a_host_count_while_it_is_attested(self):
        self.none(fleet.NOBODY.format("iommu"))
        self.attest()
        self.only()

        # and attestation does not replace a check that the host fails
        self.prove(TRUE, tree="none", at=self.now())
        self.later()
        self.none(fleet.NOBODY.format("iommu"))

        # a guest that requires nothing boots anywhere
        self.write_policy("hosts: {trust: attested}\n")
        left = self.left(self.states(), self.wanted)
        self.assertEqual([TRUE, LIAR], sorted(left))

    def test_a_host_cannot_attest_itself(self):
        """The other attacks are in tests/functional/placement."""
        self.attest()
        (real,) = self.stranger.marks()
        _, _, until, _, code = real.split("_")
        forged = marks.make(b"f" * 32, int(until), [self.provider(LIAR)]).name
        hours = [traits.of_hour(self.now() + HOUR * n) for n in range(-2, 3)]

        # with the trait, every hour, a mark of another key, and a copied code
        names = (forged, f"{forged.rpartition('_')[0]}_{code}")
        for name in names:
            self.reporter.put(f"/traits/{name}", None, "1.39")
        self.claim(LIAR, traits.ATTESTED, traits.of_check("iommu"), *hours)
        self.later()
        self.only()

        # also if it puts the marks on its own provider
        self.claim(LIAR, *names)
        self.later()
        self.only()
