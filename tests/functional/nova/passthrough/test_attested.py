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
from tests.functional.nova import helpers
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
        for _ in range(3):
            self.assertEqual(TRUE, self.lands_on(flavor))
        # when a register of its TPM is not as it should be
        self.desk.failed.add("agent1")
        self.attest()
        # then the next boot is refused, and what runs there runs on
        self.assertIn(NOBODY, self.refused(flavor))
        self.assertEqual(3, len(self.instances_on(TRUE)))
        self.lands_on("2")

    def instances_on(self, host):
        servers = self.admin_api.get_servers(search_opts={"all_tenants": 1})
        return [
            server
            for server in servers
            if server["OS-EXT-SRV-ATTR:host"] == host
            and server["status"] == "ACTIVE"
        ]

    def test_the_policy_requires_it_of_every_host(self):
        self.write_policy("hosts: {require: [attested]}\n")
        self.assertIn(NOBODY, self.refused())
        self.attest()
        self.assertEqual(TRUE, self.lands_on())

    def test_without_the_key_nobody_is_chosen(self):
        self.attest()
        self.desk.key.chmod(0o644)
        flavor = self.flavor(REQUIRE)
        self.assertIn(fleet.UNKNOWN.format("attested"), self.refused(flavor))

    def test_a_mark_that_lasts_too_long_counts_for_nothing(self):
        self.attest()
        self.flags(attestation_max_age=300, group="vhard")
        self.assertIn(NOBODY, self.refused(self.flavor(REQUIRE)))

    def test_novas_api_takes_it_for_a_requirement(self):
        path = "/v2.1/flavors/1/os-extra_specs/vhard:require"
        body = {"vhard:require": "iommu,attested"}
        response = self.call(
            "PUT", path, body, roles=helpers.ADMIN, version="2.86"
        )
        self.assertEqual(200, response.status_int, response.text)


class TestTrust(Attested):
    POLICY = "hosts: {require: [iommu], trust: attested}\n"

    def test_what_a_host_says_of_itself_counts_while_it_is_attested(self):
        self.prove(TRUE, LIAR)
        self.later()
        self.assertIn(fleet.NOBODY.format("iommu"), self.refused())
        self.attest()
        for _ in range(3):
            self.assertEqual(TRUE, self.lands_on())
        # and attestation does not replace a check that the host fails
        self.prove(TRUE, tree="none", at=self.now())
        self.later()
        self.assertIn(fleet.NOBODY.format("iommu"), self.refused())

    def test_a_guest_that_requires_nothing_boots_anywhere(self):
        self.write_policy("hosts: {trust: attested}\n")
        self.lands_on()


class TestLiar(Attested):
    """Every way that a login to Placement gives: none is one."""

    POLICY = "hosts: {require: [iommu], trust: attested}\n"

    def setUp(self):
        super().setUp()
        self.prove(TRUE, LIAR)
        self.attest()
        self.wanted = self.spec_of({})
        self.wanted.flavor.extra_specs = REQUIRE
        self.assertEqual([TRUE], self.left(self.states(), self.wanted))

    def states(self, *hosts):
        """Return hosts, or else both, as Nova's scheduler sees them."""
        manager = self.scheduler.manager.host_manager
        nodes = [self.provider(host) for host in hosts or (TRUE, LIAR)]
        admin = context.get_admin_context()
        return [*manager.get_host_states_by_uuids(admin, nodes, None)]

    def never(self):
        """The liar's host is not left, also where there is no other."""
        self.later()
        self.assertEqual([TRUE], self.left(self.states(), self.wanted))
        reason = self.reason(self.states(LIAR), self.wanted)
        self.assertIn("attested", reason)

    def test_the_trait_alone(self):
        self.claim(LIAR, traits.ATTESTED)
        self.never()

    def test_the_trait_and_every_mark_of_others(self):
        self.claim(LIAR, traits.ATTESTED, *self.marks())
        # while it has them, nobody counts; the attestor takes them off
        self.later()
        self.assertIn("attested", self.reason(self.states(), self.wanted))
        self.attest()
        self.never()

    def test_a_mark_by_another_key(self):
        until = int(self.now().timestamp()) + 3600
        provider = self.provider(LIAR)
        forged = marks.make(b"f" * 32, until, [provider])
        self.claim(LIAR, traits.ATTESTED, forged.name)
        self.never()

    def test_a_mark_of_anothers_with_the_own_provider_in_it(self):
        (real,) = self.marks()
        until = int(real.split("_")[2])
        provider = self.provider(LIAR)
        forged = marks.make(b"f" * 32, until, [provider]).name
        code = real.rpartition("_")[2]
        self.claim(
            LIAR, traits.ATTESTED, f"{forged.rpartition('_')[0]}_{code}"
        )
        self.never()

    def test_a_mark_that_lasts_longer(self):
        # given a host that was attested once, and whose owner kept the mark
        self.desk.verified["agent2"] = self.seconds
        self.attest()
        (kept, *_) = (
            name
            for name in self.marks()
            if self.provider(LIAR)
            in marks.read(name, self.desk.keys()).providers
        )
        self.desk.failed.add("agent2")
        self.attest()
        until = kept.split("_")[2]
        later = kept.replace(until, str(int(until) + 3600))
        self.claim(LIAR, traits.ATTESTED, later)
        self.never()

    def test_a_mark_that_is_over_is_over(self):
        """Until then it can be written again: that is what max_age bounds."""
        self.desk.verified["agent2"] = self.seconds
        self.attest()
        kept = self.marks()
        self.desk.failed.add("agent2")
        self.attest()
        self.later(seconds=600)
        self.claim(LIAR, traits.ATTESTED, *kept)
        self.desk.seconds = self.seconds
        self.prove(TRUE, LIAR)
        self.attest()
        self.never()

    def report(self, **values):
        """Set fields of the node as the liar's nova-compute would."""
        node = self.compute_node(LIAR)
        for name, value in values.items():
            self.addCleanup(node.save)
            self.addCleanup(setattr, node, name, getattr(node, name))
            setattr(node, name, value)
        node.save()

    def test_a_hypervisor_that_the_policy_is_not_about(self):
        self.report(hypervisor_type="ironic")
        self.never()

    def test_the_same_for_a_guest_that_is_refused_elsewhere(self):
        self.write_policy(
            "guest_devices: {disk_bus: {allow: [scsi]}}\n" + self.POLICY
        )
        self.report(hypervisor_type="ironic")
        self.later()
        self.assertIn("disk_bus", self.reason(self.states(), self.wanted))

    def test_claims_of_its_own(self):
        # all checks, and the hours that are to come
        names = [traits.of_check("iommu"), traits.ATTESTED]
        hours = [traits.of_hour(self.now() + HOUR * n) for n in range(-2, 3)]
        self.claim(LIAR, *names, *hours)
        self.never()
