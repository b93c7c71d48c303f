# SPDX-License-Identifier: Apache-2.0
"""An admin who names the host, with and without a synced flavor.

Nova asks no filter about a host that is forced (``AZ:host``); Placement's
own matching of a flavor's traits still holds.
"""

import fixtures

from nova_vhard.catalogue import traits
from tests.functional.nova.passthrough import base, fleet

REQUIRED = f"trait:{traits.of_check('iommu')}"
#: A passthrough flavor after ``openstack vhard flavor sync``.
SYNCED = base.ONE_GPU | {REQUIRED: "required"}


class TestForcedHost(base.Devices):
    POLICY = base.ALLOWED + "hosts: {require: []}\n"

    def setUp(self):
        super().setUp()
        self.prove(base.PROVEN)
        self.prove(base.OTHER, tree="none")

    def forced(self, host):
        return {"availability_zone": f"nova:{host}", "roles": ("admin",)}

    def test_no_filter_is_asked_about_a_forced_host(self):
        """Nova skips its filters here; a synced flavor closes the gap."""
        events = self.decisions()

        landed = self.lands_on(self.gpu(), **self.forced(base.OTHER))

        self.assertEqual(base.OTHER, landed)
        self.assertEqual([], events)

    def test_placement_refuses_a_synced_flavor_on_an_unproven_host(self):
        # given a flavor with the trait that passthrough demands
        flavor = self.flavor(SYNCED)

        # when a host is forced that does not have it, then Placement
        # refuses, in words of Nova's that we cannot change
        server = self.build(flavor, **self.forced(base.OTHER))
        self.assertEqual(
            fleet.NOVAS_PREFIX.strip(), self.fault(server).strip()
        )
        self.assertEqual({}, self.allocations(server))

        # and the proven one may be forced
        landed = self.lands_on(flavor, **self.forced(base.PROVEN))
        self.assertEqual(base.PROVEN, landed)

    def test_a_host_that_is_only_asked_for_is_judged(self):
        """``host`` of microversion 2.74 leaves the filters on."""
        asked = {"host": base.OTHER, "roles": ("admin",)}

        reason = self.refused(self.gpu(), **asked)

        self.assertIn(
            fleet.NO_CANDIDATE.format("interrupt_remapping, iommu"), reason
        )


class TestDevicesInPlacement(base.Devices):
    """With PCI devices as providers below the host's."""

    NEW_HOSTS = True

    def start_hosts(self):
        self.flags(report_in_placement=True, group="pci")
        self.flags(pci_in_placement=True, group="filter_scheduler")
        # The machine that the tests run on has devices of its own.
        self.useFixture(
            fixtures.MockPatch("nova.pci.utils.is_physical_function")
        )
        super().start_hosts()
        self._run_periodics()

    def setUp(self):
        super().setUp()
        self.prove(base.PROVEN)

    def test_the_hosts_trait_and_the_devices_resource_meet(self):
        # given a synced flavor, without our filter's help
        self.write_policy(
            "passthrough: {allow: {aliases: [gpu]}, require: []}\n"
        )
        flavor = self.flavor(SYNCED)

        # when devices are asked for, then Placement itself finds the host
        for _ in range(base.Devices.PCI):
            self.assertEqual(base.PROVEN, self.lands_on(flavor))
        self.assertEqual([], self.asked)

        # and then no host is left, for Placement and for the filter
        self.fault(self.build(flavor))
        self.write_policy(self.POLICY)
        self.assertIn(
            fleet.NO_CANDIDATE.format("interrupt_remapping, iommu"),
            self.refused(self.gpu()),
        )
