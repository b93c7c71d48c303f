# SPDX-License-Identifier: Apache-2.0
"""Tests of the remaining hosts: one set lookup each."""

import json

import fixtures
from nova.scheduler.client import report as report_client

from nova_vhard.gates.scheduler import VirtHardeningFilter
from tests.functional.nova.passthrough import filter_case, fleet
from tests.functional.nova.passthrough.filter_case import ALLOWED, BOTH, VGPU

#: Policy to outcome and rule, on a host that has passed nothing.
MODES = {
    "passthrough: {allow: {mdev: [VGPU]}, mode: warn}\n": (
        "warn",
        "passthrough.require",
    ),
    "passthrough: {allow: {mdev: [VGPU]}, mode: audit}\n": (
        "audit",
        "passthrough.require",
    ),
    "passthrough: {allow: {mdev: [VGPU]}, require: []}\n"
    "hosts: {require: [iommu], mode: warn}\n": ("warn", "hosts.require"),
}
EXEMPT = """
exemptions:
  - id: legacy
    reason: a test
    projects: [PROJECT]
    rules: RULES
    until: "2999-12-31"
"""


def exempting(project, **rules):
    """Return an exemption of a project from rules under passthrough."""
    named = {f"passthrough.{rule}": values for rule, values in rules.items()}
    text = EXEMPT.replace("PROJECT", project)
    return text.replace("RULES", json.dumps(named))


class TestHosts(filter_case.FilterCase):
    POLICY = ALLOWED

    def test_only_hosts_that_have_passed_everything(self):
        hosts = [
            self.proven("all", *BOTH, "kernel_aslr"),
            self.proven("both", *BOTH),
            self.proven("half", "iommu"),
            self.proven("none"),
            self.state("silent"),
        ]

        self.assertEqual(["all", "both"], self.left(hosts, self.spec(VGPU)))

    def test_what_is_demanded_together_is_one_question(self):
        # given demands of the policy for any guest and for passthrough, and
        # of the flavor
        self.write_policy(ALLOWED + "hosts: {require: [iommu_strict]}\n")
        hosts = [
            self.proven("both", *BOTH),
            self.proven("strict", *BOTH, "iommu_strict"),
        ]
        spec = self.spec(VGPU | {"vhard:require": "kernel_aslr"})

        self.assertEqual(
            fleet.NOBODY.format(
                "interrupt_remapping, iommu, iommu_strict, kernel_aslr"
            )
            + "ask the cloud's operator",
            self.reason(hosts, spec),
        )

        asked = len(self.asked)
        hosts.append(self.proven("all", *BOTH, "iommu_strict", "kernel_aslr"))
        self.later()
        self.assertEqual(["all"], self.left(hosts, spec))
        self.assertEqual(asked + 2, len(self.asked))

    def test_a_host_that_has_not_reported_its_uuid_yet(self):
        host = self.proven("new", *BOTH)
        host.uuid = None

        self.assertIn(
            "no host with room", self.reason([host], self.spec(VGPU))
        )

    def test_hosts_outside_applies_to_are_kept(self):
        ironic = self.state("metal", "ironic")
        unproven = self.state("qemu")
        spec = self.spec(VGPU)

        # Whether or not anybody has proven it, or Placement knows.
        self.assertEqual(["metal"], self.left([unproven, ironic], spec))
        good = self.proven("good", *BOTH, kind="KVM")
        self.later()
        hosts = [unproven, ironic, good]
        self.assertEqual(["metal", "good"], self.left(hosts, spec))
        self.later(hours=5)
        self.placement_fault = lambda url: 1 / 0
        self.assertEqual(["metal"], self.left(hosts, spec))

        # and so is a refusal's one
        self.write_policy("")
        self.assertEqual(["metal"], self.left(hosts, spec))

    def test_a_host_whose_hypervisor_is_not_known_yet_is_judged(self):
        host = self.state("new", None)

        self.assertIn("no host of", self.reason([host], self.spec(VGPU)))

    def test_warn_and_audit_keep_every_host(self):
        host = self.state("unproven")
        events = self.decisions()
        for policy in MODES:
            self.write_policy(policy)
            self.assertEqual(["unproven"], self.left([host], self.spec(VGPU)))
        self.assertEqual(
            [(outcome, [rule]) for outcome, rule in MODES.values()],
            [(each["outcome"], each["rules"]) for each in events],
        )


#: Policy to the hosts that are left; none: the device is refused.
EXEMPTIONS = {
    # the hosts must have proven themselves all the same
    exempting("project", allow=["VGPU"]): ["good"],
    ALLOWED + exempting("project", require=BOTH[1:]): ["good", "half"],
    exempting("other", allow=["VGPU"], require=BOTH): [],
    exempting("project", allow=["CUSTOM_NVIDIA_11"]): [],
}


class TestExemptions(filter_case.FilterCase):
    POLICY = ""

    def test_each(self):
        """(The request is one of project ``project``.)"""
        hosts = [self.proven("good", *BOTH), self.proven("half", "iommu")]
        for policy, left in EXEMPTIONS.items():
            self.write_policy(policy)
            if left:
                self.assertEqual(left, self.left(hosts, self.spec(VGPU)))
            else:
                reason = self.reason(hosts, self.spec(VGPU))
                self.assertIn("asks for VGPU", reason, policy)


class TestRequestsToPlacement(filter_case.FilterCase):
    POLICY = ALLOWED
    NUMBER = 50

    def count(self):
        """Return a list that every request to Placement goes into."""
        sent = []
        real = report_client.SchedulerReportClient.get

        def get(client, url, *args, **more):
            sent.append(url)
            return real(client, url, *args, **more)

        self.useFixture(fixtures.MonkeyPatch(fleet.GET, get))
        return sent

    def test_their_number_does_not_grow_with_the_hosts(self):
        # given fifty hosts, of which every second one has proven itself
        hosts = [
            self.proven(f"host{number}", *BOTH)
            if number % 2
            else self.state(f"host{number}")
            for number in range(self.NUMBER)
        ]
        sent = self.count()
        spec = self.spec(VGPU)

        # when one host is judged, then Placement is asked twice
        self.assertEqual(["host1"], self.left(hosts[1:2], spec))
        self.assertEqual(2, len(sent))

        # and twice for all of them, and then not again
        self.later()
        for _ in range(3):
            left = self.left(hosts, spec)
            self.assertEqual(self.NUMBER // 2, len(left))
            self.assertEqual(4, len(sent))

    def test_nothing_is_asked_where_nothing_is_demanded(self):
        sent = self.count()
        self.left([self.state("host")], self.spec({}))
        self.assertEqual([], sent)

    def test_nothing_is_asked_when_the_filter_is_made(self):
        """Nova makes it before it forks its workers."""
        sent = self.count()
        made = VirtHardeningFilter()
        self.assertEqual([], sent)
        self.assertIsNone(made._hosts._posture._placement)

    def test_each_set_of_demands_is_one_question(self):
        host = self.proven("host", *BOTH, "kernel_aslr")
        sent = self.count()
        for checks in ("kernel_aslr", "iommu, kernel_aslr", "kernel_aslr"):
            spec = self.spec({"vhard:require": checks})
            self.assertEqual(["host"], self.left([host], spec))
        self.assertEqual(4, len(sent))
