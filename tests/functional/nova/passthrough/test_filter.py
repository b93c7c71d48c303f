# SPDX-License-Identifier: Apache-2.0
"""The filter in Nova's own handler, with hosts in Placement.

tests/unit/test_verdict.py tests the checks that a policy requires;
test_proven.py and test_filter_alone.py of the folder above test the choice of
hosts.
"""

from keystoneauth1 import exceptions

from tests.functional.nova.passthrough import filter_case, fleet
from tests.functional.nova.passthrough.filter_case import ALLOWED, BOTH, VGPU

CHECKS = (*BOTH, "iommu_strict", "kernel_aslr")
UNKNOWN = (
    fleet.UNKNOWN.format("interrupt_remapping, iommu")
    + "try again in a few minutes"
)


class TestHosts(filter_case.FilterCase):
    POLICY = ALLOWED

    def test_all_required_checks_are_one_question(self):
        """The policy, for any guest and for passthrough, and a flavor."""
        self.write_policy(ALLOWED + "hosts: {require: [iommu_strict]}\n")
        spec = self.spec(VGPU | {"vhard:require": "kernel_aslr"})
        new = self.proven("new", *CHECKS)
        new.uuid = None
        hosts = [
            *(self.proven(f"no {each}", *{*CHECKS} - {each}) for each in BOTH),
            *(self.proven(f"no {each}", *BOTH, each) for each in CHECKS[2:]),
            self.state("silent"),
            new,
        ]

        # when no host has passed all of them
        self.assertEqual(
            fleet.NO_CANDIDATE.format(", ".join(sorted(CHECKS)))
            + "try again later",
            self.reason(hosts, spec),
        )

        # and when one has, then two requests are about all hosts
        asked = len(self.asked)
        hosts.append(self.proven("all", *CHECKS))
        self.later()
        for _ in range(3):
            self.assertEqual(["all"], self.left(hosts, spec))
            self.assertEqual(asked + 2, len(self.asked))

    def test_without_an_answer_no_host_has_proven_anything(self):
        good, metal = self.proven("good", *BOTH), self.state("metal", "ironic")
        spec = self.spec(VGPU)

        # when Placement answers neither of the two questions, or one
        for begin in fleet.POSTURE:

            def fail(url, begin=begin):
                if url.startswith(begin):
                    raise exceptions.ConnectFailure("unreachable")

            self.placement_fault = fail
            self.assertEqual(UNKNOWN, self.reason([good], spec))
            self.assertEqual(["metal"], self.left([good, metal], spec))
            self.assertEqual(["good"], self.left([good], self.spec({})))
            self.later()

        # and when it works again, then the boot succeeds
        self.placement_fault = lambda url: None
        self.assertEqual(["good"], self.left([good], spec))
