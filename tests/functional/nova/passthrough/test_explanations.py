# SPDX-License-Identifier: Apache-2.0
"""Three reasons why no host is left, told apart; hosts only in the log."""

from tests.functional.nova.passthrough import filter_case, fleet
from tests.functional.nova.passthrough.test_placement_faults import FAULTS

CHECKS = "interrupt_remapping, iommu"
NOBODY = fleet.NOBODY.format(CHECKS) + "ask the cloud's operator, "
NO_CANDIDATE = fleet.NO_CANDIDATE.format(CHECKS) + "try again later, "
UNKNOWN = fleet.UNKNOWN.format(CHECKS) + "try again in a few minutes"
GOOD, BAD = "host-a", "host-b"


class TestExplanations(filter_case.FilterCase):
    POLICY = filter_case.ALLOWED

    def setUp(self):
        super().setUp()
        self.hosts = [self.state(name) for name in (GOOD, BAD)]
        self.log = self.log_of("nova_vhard.gates.posture_filter")

    def explained(self, reason, *hosts):
        """Check what the user reads; return what the operator does."""
        self.log.clear()
        told = self.reason([*hosts], self.spec(filter_case.VGPU))
        self.assertTrue(told.startswith(reason), told)
        for name in (GOOD, BAD, *map(self.provider, (GOOD, BAD))):
            self.assertNotIn(name, told)
        self.assertNotRegex(told, r"\d")
        return "\n".join(self.log)

    def test_none_in_the_fleet(self):
        # given reports, none of which proves an IOMMU
        self.prove(GOOD, tree="none")
        self.prove(BAD, tree="vtd-off")

        line = self.explained(NOBODY, *self.hosts)

        self.assertIn(f"passed the checks {CHECKS}. Passed: none. ", line)
        self.assertIn(f"Candidates: {GOOD}, {BAD}.", line)

    def test_none_among_the_candidates(self):
        """The proven host is disabled, or full."""
        self.prove(GOOD)

        line = self.explained(NO_CANDIDATE, self.hosts[1])

        self.assertIn(f"Passed: {self.provider(GOOD)}. ", line)
        self.assertIn(f"Candidates: {BAD}.", line)

    def test_not_known(self):
        self.prove(GOOD)
        self.placement_fault = FAULTS["down"]

        line = self.explained(UNKNOWN, *self.hosts)

        self.assertIn("Placement has not answered yet", line)
