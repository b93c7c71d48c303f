# SPDX-License-Identifier: Apache-2.0
"""Nova and our cleaner: a device is used, refused, cleaned and used again.

tests/functional/placement tests devices that stay dirty, and the output and
commands for the operator.
"""

from nova_vhard.cleaner.journal import State
from tests import services
from tests.functional.nova.passthrough import base, fleet, reissue

STEPS = "a step of the cleaner, which is never patched by it"


@services.needs_nova(32, "one_time_use of PCI devices")
class TestBetweenTwoGuests(reissue.Cleaned):
    @services.needs_threads(STEPS)
    def test_the_next_guest_gets_it_cleaned(self):
        # given a device that a guest has used and rewritten
        flavor = self.flavor_with()
        server = self.build(flavor)
        self.wait(server, "ACTIVE")
        self.cleaner.once()
        self.assertEqual(State.IN_USE, self.record().state)
        self.firmware.write_text("rewritten\n")
        self.delete(server)
        self.assertEqual(1, self.reserved())

        # when another guest requests it now, then it is refused
        refusal = self.fault(self.build(flavor))
        self.assertIn(fleet.NOVAS_PREFIX.strip(), refusal)

        # when the cleaner has run, then the next guest gets it
        self.assertTrue(self.cleaner.once(), self.record())
        self.assertEqual(State.RELEASED, self.record().state, self.record())
        self.assertEqual((server,), self.record().consumers)
        self.assertEqual("good\n", self.firmware.read_text())
        self.assertEqual(0, self.reserved())
        self.assertEqual(base.PROVEN, self.lands_on(flavor))

        # and it is used again, which Nova's own update does not undo
        self._run_periodics()
        self.assertEqual(1, self.reserved())
