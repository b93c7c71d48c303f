# SPDX-License-Identifier: Apache-2.0
"""Devices that a flavor asks for by an alias."""

from tests.functional.nova.passthrough import base, fleet
from tests.functional.nova.passthrough.moves import judged

CHECKS = "interrupt_remapping, iommu"
REFUSED = "flavor extra spec pci_passthrough:alias asks for gpu (allowed: {})"


class TestAliases(base.Devices):
    """What ``baseline`` says: nobody may ask for a device of a host."""

    POLICY = ""

    def test_not_allowed(self):
        events = self.decisions()

        # when a flavor asks for a device
        server = self.build(self.gpu())

        # then its owner reads what is not allowed, and Nova is left clean
        self.assertEqual(
            fleet.NOVAS_PREFIX + REFUSED.format("no value"), self.fault(server)
        )
        self.assertEqual({}, self.allocations(server))
        self.assertEqual(
            [("boot", "refuse", ["passthrough.allow"])], judged(events)
        )

        # and what asks for no device boots, and another alias is named
        self.lands_on()
        self.write_policy("passthrough: {allow: {aliases: [crypto]}}\n")
        self.assertEqual(REFUSED.format("crypto"), self.refused(self.gpu()))
        self.assertEqual([], self.asked)

    def test_it_lands_on_the_proven_host_and_nowhere_else(self):
        # given one host that has proven its IOMMU, one that has none
        self.write_policy(base.ALLOWED)
        gpu = self.gpu()
        self.assertEqual(
            fleet.NOBODY.format(CHECKS) + "ask the cloud's operator, or "
            "use no passthrough devices",
            self.refused(gpu),
        )
        self.prove(base.PROVEN)
        self.prove(base.OTHER, tree="none")
        self.later()

        # when devices are asked for until that host's are used up
        for _ in range(self.PCI):
            server = self.build(gpu)
            self.wait(server, "ACTIVE")
            self.assertEqual(base.PROVEN, self.instance(server).host)
            self.assertIn("<hostdev", self.domain_xml(server))

        # then the other host's devices stay where they are
        last = self.build(gpu)
        self.assertTrue(self.fault(last).startswith(fleet.NOVAS_PREFIX))
        self.assertEqual({}, self.allocations(last))
