# SPDX-License-Identifier: Apache-2.0
"""An admin who names the host, with and without a synced flavor.

Nova asks no filter about a host that is forced (``AZ:host``); Placement's
own matching of a flavor's traits still holds.
"""

from nova_vhard.catalogue import traits
from tests.functional.nova.passthrough import base, fleet

REQUIRED = f"trait:{traits.of_check('iommu')}"
#: A passthrough flavor after ``openstack vhard flavor sync``.
SYNCED = base.ONE_GPU | {REQUIRED: "required"}


class TestForcedHost(base.Devices):
    POLICY = base.ALLOWED + "hosts: {require: []}\n"

    def test_a_host_that_an_admin_forces_or_asks_for(self):
        self.prove(base.PROVEN)
        self.prove(base.OTHER, tree="none")
        forced, proven = (
            {"availability_zone": f"nova:{host}", "roles": ("admin",)}
            for host in (base.OTHER, base.PROVEN)
        )
        events = self.decisions()

        # Nova skips its filters here; a synced flavor closes the gap:
        self.assertEqual(base.OTHER, self.lands_on(self.gpu(), **forced))
        self.assertEqual([], events)

        # Placement refuses, with Nova's message, which we cannot change
        synced = self.flavor(SYNCED)
        server = self.build(synced, **forced)
        self.assertEqual(
            fleet.NOVAS_PREFIX.strip(), self.fault(server).strip()
        )
        self.assertEqual({}, self.allocations(server))
        self.assertEqual(base.PROVEN, self.lands_on(synced, **proven))

        # and ``host`` of microversion 2.74 leaves the filters on
        self.assertIn(
            fleet.NO_CANDIDATE.format("interrupt_remapping, iommu"),
            self.refused(self.gpu(), host=base.OTHER, roles=("admin",)),
        )
