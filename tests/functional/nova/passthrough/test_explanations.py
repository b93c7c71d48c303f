# SPDX-License-Identifier: Apache-2.0
"""Three reasons why no host is left, told apart; hosts only in the log."""

from tests.functional.nova.passthrough import base, fleet
from tests.functional.nova.passthrough.test_placement_faults import FAULTS

SCHEDULER = "nova_vhard.gates.posture_filter"
WHAT = "or use no passthrough devices"
CHECKS = "interrupt_remapping, iommu"
NOBODY = fleet.NOBODY.format(CHECKS) + f"ask the cloud's operator, {WHAT}"
NO_CANDIDATE = fleet.NO_CANDIDATE.format(CHECKS) + f"try again later, {WHAT}"
UNKNOWN = fleet.UNKNOWN.format(CHECKS) + "try again in a few minutes"


class TestExplanations(base.Devices):
    def setUp(self):
        super().setUp()
        self.log = self.log_of(SCHEDULER)
        self.wanted = self.gpu()

    def explained(self, reason, flavor=None):
        """Check what the user reads; return what the operator does."""
        self.log.clear()
        self.assertEqual(reason, self.refused(flavor or self.wanted))
        for name in (*self.HOSTS, *map(self.provider, self.HOSTS)):
            self.assertNotIn(name, reason)
        self.assertNotRegex(reason, r"\d")
        return self.log[-1]

    def test_none_in_the_fleet(self):
        # given reports, none of which proves an IOMMU
        self.prove(base.PROVEN, tree="none")
        self.prove(base.OTHER, tree="vtd-off")

        line = self.explained(NOBODY)

        self.assertIn(f"passed the checks {CHECKS}. Passed: none. ", line)
        self.assertIn(f"Candidates: {base.PROVEN}, {base.OTHER}.", line)

    def test_none_among_the_candidates_while_the_proven_is_disabled(self):
        self.prove(base.PROVEN)
        uuid = self.computes[base.PROVEN].service_ref.uuid
        self.admin_api.put_service(uuid, {"status": "disabled"})
        self.addCleanup(
            self.admin_api.put_service, uuid, {"status": "enabled"}
        )

        line = self.explained(NO_CANDIDATE)

        self.assertIn(f"Passed: {self.provider(base.PROVEN)}. ", line)
        self.assertIn(f"Candidates: {base.OTHER}.", line)

    def test_none_among_the_candidates_while_the_proven_is_full(self):
        # given a proven host on which a large server runs
        self.prove(base.PROVEN)
        # (128 GB of disk each)
        large = self.flavor(base.ONE_GPU, disk=80)
        self.assertEqual(base.PROVEN, self.lands_on(large))

        # when another one is asked for, then only time can help
        line = self.explained(NO_CANDIDATE, large)

        self.assertIn(f"Candidates: {base.OTHER}.", line)

        # and a small one fits
        self.assertEqual(base.PROVEN, self.lands_on(self.wanted))

    def test_not_known(self):
        self.prove(base.PROVEN)
        self.placement_fault = FAULTS["down"]

        self.explained(UNKNOWN)

        self.assertIn(
            "which checks the hosts have passed: Placement has not answered "
            "yet",
            "\n".join(self.log),
        )
