# SPDX-License-Identifier: Apache-2.0
"""Used, dirty, refused, cleaned, issued again: Nova and our cleaner."""

import argparse

from nova_vhard.cleaner.journal import State
from nova_vhard.osc.device import show
from tests import services
from tests.functional.nova.passthrough import base, cloud, fleet, reissue
from tests.functional.nova.passthrough.reissue import ADDRESS

STEPS = "a step of the cleaner, which is never patched by it"


@services.needs_nova(32, "one_time_use of PCI devices")
class TestBetweenTwoGuests(reissue.Cleaned):
    def used(self):
        """Give the device to a guest that rewrites it; return its flavor."""
        flavor = self.flavor_with()
        server = self.build(flavor)
        self.wait(server, "ACTIVE")
        self.clean()
        self.assertEqual(State.IN_USE, self.record().state)
        self.firmware.write_text("rewritten\n")
        self.delete(server)
        self.first = server
        return flavor

    def row(self):
        """Return what ``openstack vhard device list`` says of the device."""
        command = show.ListDevices(cloud.app(self), None)
        options = command.get_parser("list").parse_args([])
        _, rows = command.take_action(options)
        (row,) = rows
        return row

    def shown(self):
        """Return what ``openstack vhard device show`` says, as a text."""
        command = show.ShowDevice(cloud.app(self), None)
        words = [base.PROVEN, ADDRESS, "--evidence", self.evidence]
        options = command.get_parser("show").parse_args(words)
        self.assertIsInstance(options, argparse.Namespace)
        return str(command.take_action(options))

    @services.needs_threads(STEPS)
    def test_the_next_guest_gets_it_cleaned(self):
        # given a device that a guest has used and rewritten
        flavor = self.used()
        self.assertEqual(1, self.reserved())

        # when another guest requests it now, then it is refused
        refusal = self.fault(self.build(flavor))
        self.assertIn(fleet.NOVAS_PREFIX.strip(), refusal)
        self.assertIn("reserved", self.row())

        # when the cleaner has run, then the next guest gets it
        self.assertTrue(self.clean(), self.record())
        self.assertEqual(State.RELEASED, self.record().state, self.record())
        self.assertEqual((self.first,), self.record().consumers)
        self.assertEqual("good\n", self.firmware.read_text())
        self.assertEqual(0, self.reserved())
        self.assertEqual(base.PROVEN, self.lands_on(flavor))

        # and it is used again, which Nova's own update does not undo
        self._run_periodics()
        self.assertEqual(1, self.reserved())

    @services.needs_threads(STEPS)
    def test_with_a_step_that_fails_nobody_ever_gets_it(self):
        self.rules(reissue.NOTHING, reissue.PROVE)
        flavor = self.used()

        for _ in range(3):
            self.clean()
            self._run_periodics()
            self.fault(self.build(flavor))

        # and the operator reads why, on the host and at the desk
        self.assertEqual(1, self.reserved())
        record = self.record()
        self.assertEqual(State.FAILED, record.state)
        self.assertIn("exit status 1", record.reason)
        self.assertIn("rewritten", str(record.steps))
        row = self.row()
        self.assertEqual(base.PROVEN, row[0])
        self.assertEqual(ADDRESS, row[1])
        self.assertEqual("reserved", row[3])
        self.assertIn("COMMAND", row[4].upper())
        shown = self.shown()
        self.assertIn(self.first, shown)
        self.assertIn("rewritten", shown)

    def test_one_that_no_rule_names_is_not_released(self):
        self.rules()
        flavor = self.used()

        self.clean()

        self.assertEqual("NO_RULE", self.record().word)
        self.fault(self.build(flavor))

    def test_by_force_with_a_reason(self):
        self.rules(reissue.NOTHING, reissue.PROVE)
        flavor = self.used()
        self.clean()
        self.fault(self.build(flavor))

        self.clean(force="the vendor has looked at it")

        self.assertEqual(base.PROVEN, self.lands_on(flavor))
        self.assertIn("the vendor", str(self.record().history))
