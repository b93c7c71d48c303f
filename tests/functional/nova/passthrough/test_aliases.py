# SPDX-License-Identifier: Apache-2.0
"""Devices that a flavor asks for by an alias."""

from tests.functional.nova.passthrough import base, fleet

CHECKS = "interrupt_remapping, iommu"
REFUSED = "flavor extra spec pci_passthrough:alias asks for gpu (allowed: {})"


class TestNotAllowed(base.Devices):
    """What ``baseline`` says: nobody may ask for a device of a host."""

    POLICY = ""
    HOSTS = (base.PROVEN,)

    def test_the_reason_is_in_the_servers_fault(self):
        # given a host that has proven everything
        self.prove(*self.HOSTS)
        events = self.decisions()

        # when a flavor asks for a device
        server = self.build(self.gpu())

        # then its owner reads what is not allowed, and Nova is left clean
        self.assertEqual(
            fleet.NOVAS_PREFIX + REFUSED.format("no value"), self.fault(server)
        )
        self.assertEqual({}, self.allocations(server))
        self.assertEqual(
            [("boot", "refuse", ["passthrough.allow"])],
            [(e["operation"], e["outcome"], e["rules"]) for e in events],
        )

        # and what asks for no device boots
        self.lands_on()

    def test_another_alias_is_named_as_allowed(self):
        self.write_policy("passthrough: {allow: {aliases: [crypto]}}\n")

        self.assertEqual(REFUSED.format("crypto"), self.refused(self.gpu()))

        self.assertEqual([], self.asked)


class TestAllowed(base.Devices):
    def test_without_a_proven_host_nobody_gets_one(self):
        reason = self.refused(self.gpu())

        self.assertEqual(
            fleet.NOBODY.format(CHECKS) + "ask the cloud's operator, or "
            "use no passthrough devices",
            reason,
        )

    def test_it_lands_on_the_proven_host_and_nowhere_else(self):
        # given one host that has proven its IOMMU, one that has none
        self.prove(base.PROVEN)
        self.prove(base.OTHER, tree="none")

        # when devices are asked for until that host's are used up
        gpu = self.gpu()
        servers = [self.build(gpu) for _ in range(base.Devices.PCI)]
        for server in servers:
            self.wait(server, "ACTIVE")
            self.assertEqual(base.PROVEN, self.instance(server).host)
            self.assertIn("<hostdev", self.domain_xml(server))

        # then the other host's devices stay where they are
        last = self.build(gpu)
        self.assertTrue(self.fault(last).startswith(fleet.NOVAS_PREFIX))
        self.assertEqual({}, self.allocations(last))
