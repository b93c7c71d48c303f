# SPDX-License-Identifier: Apache-2.0
"""A cloud that trusts attested hosts, and a host whose owner lies.

The owner has every login to Placement that lies on a compute node: that of the
reporter, and nova-compute's, which may write every provider and every name.
``vhard:require: attested`` is in test_proven.py of the folder above.
"""

import datetime

from nova import context, exception
from nova.scheduler import filters

from nova_vhard.catalogue import traits
from nova_vhard.placement import marks
from nova_vhard.placement.client import Placement
from tests.functional.nova import stored
from tests.functional.nova.passthrough import base, fleet
from tests.functional.nova.test_filter_alone import flavor
from tests.functional.nova.test_request_spec import SERVER, spec
from tests.functional.placement.attestors import Desk

TRUE, LIAR = "host1", "host2"
HOUR = datetime.timedelta(hours=1)


class TestTrust(base.FakeHosts):
    """An attestor beside the cloud, and a verifier that knows host1 alone."""

    HOSTS = (TRUE, LIAR)
    POLICY = "hosts: {require: [iommu], trust: attested}\n"

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
        new = stored.build_request(SERVER)
        stored.create(new)
        # While it exists, the server is being built.
        self.addCleanup(new.destroy)
        self.wanted = spec(flavor=flavor())
        self.prove(TRUE, LIAR)
        self.later()

    def left(self):
        """Return the hosts that are left in Nova's scheduler."""
        manager = self.scheduler.manager.host_manager
        admin, nodes = context.get_admin_context(), [*self.desk.hosts]
        states = manager.get_host_states_by_uuids(admin, nodes, None)
        left = filters.HostFilterHandler().get_filtered_objects(
            [self.filter], [*states], self.wanted
        )
        return sorted(each.host for each in left)

    def none(self):
        """Check that no host of the cloud has proven its IOMMU."""
        refusal = self.assertRaises(exception.NoValidHost, self.left)
        reason = fleet.NOBODY.format("iommu")
        self.assertIn(reason, refusal.kwargs["reason"])

    def only(self):
        """The true host is left alone."""
        self.assertEqual([TRUE], self.left())

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
        now, generation = Placement(self.reporter).traits_of(provider)
        body = {
            "traits": sorted(now.union(names)),
            "resource_provider_generation": generation,
        }
        answer = self.reporter.put(url, body, "1.39")
        self.assertEqual(200, answer.status_code, answer.text)

    def test_the_results_of_a_host_count_while_it_is_attested(self):
        self.none()
        self.attest()
        self.only()

        # and attestation does not replace a check that the host fails
        self.prove(TRUE, tree="none", at=self.now())
        self.later()
        self.none()

        # a guest that requires nothing boots anywhere
        self.write_policy("hosts: {trust: attested}\n")
        self.assertEqual([TRUE, LIAR], self.left())

    def test_a_host_cannot_attest_itself(self):
        """The other attacks are in tests/functional/placement."""
        self.attest()
        (real,) = Placement(self.reporter).marks()
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
