# SPDX-License-Identifier: Apache-2.0
"""Nova, our gate and our cleaner on devices that are for one guest.

tests/functional/placement tests devices that stay dirty, and the output and
commands for the operator; test_candidates.py and test_filter_alone.py of the
folder above test what the gate does not accept as proof.
"""

from nova_vhard.cleaner.journal import State
from tests import services
from tests.functional.nova.passthrough import base, fleet, reissue

STEPS = "a step of the cleaner, which is never patched by it"
NO_DEVICE = (
    "no host with room for this server has a one_time_use device for "
    f"{base.ALIAS}"
)


@services.needs_nova(32, "one_time_use of PCI devices")
class TestSome(reissue.Once):
    """One of two devices is one_time_use: Nova must not use the other."""

    SPEC = (
        reissue.device(used_once=False, address=reissue.ADDRESS),
        reissue.device(address="0000:81:01.0"),
    )
    PCI = 2

    def test_the_candidates_are_narrowed(self):
        # two at once are too many
        both = self.flavor({"pci_passthrough:alias": f"{base.ALIAS}:2"})
        self.assertIn(NO_DEVICE, self.refused(both))

        flavor = self.gpu()
        server = self.build(flavor)
        self.wait(server, "ACTIVE")
        self.assertIn("slot='0x01'", self.domain_xml(server))

        # the other one is free, but no guest gets it
        self.assertIn(NO_DEVICE, self.refused(flavor))


@services.needs_nova(32, "one_time_use of PCI devices")
class TestBetweenTwoGuests(reissue.Cleaned):
    @services.needs_threads(STEPS)
    def test_the_next_guest_gets_it_cleaned(self):
        # given a device that a guest has used and rewritten
        flavor = self.gpu()
        server = self.build(flavor)
        self.wait(server, "ACTIVE")
        self.cleaner.once()
        self.assertEqual(State.IN_USE, self.record().state)
        self.firmware.write_text("rewritten\n")
        self.api.delete_server(server)
        self._wait_until_deleted({"id": server, "status": "ACTIVE"})
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
