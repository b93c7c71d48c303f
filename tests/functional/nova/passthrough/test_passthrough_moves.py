# SPDX-License-Identifier: Apache-2.0
"""Resize and migration look alike to a scheduler; they are told apart."""

import fixtures

from tests.functional.nova.passthrough import base
from tests.functional.nova.passthrough.moves import Moves, judged

ALLOW = ["passthrough.allow"]
REQUIRE = ["passthrough.require"]
NO_DISK = "nova.virt.libvirt.driver.LibvirtDriver.migrate_disk_and_power_off"
THIRD = "host-c"
LENIENT = "moves: {guest_devices: warn, hosts: warn}\n"


class Servers(Moves, base.Devices):
    """Three hosts; the first two have proven their IOMMU."""

    # A server that moves leaves claims behind for a while, and hosts fail.
    NEW_HOSTS = True
    HOSTS = (base.PROVEN, base.OTHER, THIRD)
    SIZE = base.ONE_GPU

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.MockPatch(NO_DISK, return_value="{}"))
        self.prove(base.PROVEN, base.OTHER)
        self.server = self.build(
            self.flavor(self.SIZE),
            networks=self.networks(),
            host=base.PROVEN,
            roles=("admin",),
        )
        self.wait(self.server, "ACTIVE")
        self.events = self.decisions()

    def networks(self):
        """Return what the server is connected to."""
        return "none"


class TestSmallServer(Servers):
    """Passthrough that a resize brings in is a new wish."""

    SIZE = {}

    def test_a_resize_into_a_device(self):
        # given a policy that is lenient with moves, and allows no device
        self.write_policy(LENIENT)

        # when a small server is resized into a passthrough flavor
        gpu = self.gpu()
        self.resize(gpu)

        # then it is refused, although it looks like a migration
        self.stays(base.PROVEN, "resize")
        self.assertEqual([("resize", "refuse", ALLOW)], judged(self.events))

        # and an allowed one goes nowhere while no host has proven its IOMMU
        self.write_policy(base.ALLOWED)
        self.withdraw(base.PROVEN)
        self.withdraw(base.OTHER)
        self.later()
        self.events.clear()
        self.resize(gpu)
        self.stays(base.PROVEN, "resize")
        self.assertEqual([("resize", "refuse", REQUIRE)], judged(self.events))

        # and then to the one that has
        self.prove(base.OTHER)
        self.later()
        self.resize(gpu)
        self.assertEqual(base.OTHER, self.moved())
        self.assertIn("<hostdev", self.domain_xml(self.server))


class TestServerWithDevice(Servers):
    """A server that has its device from before the policy forbade it."""

    def setUp(self):
        super().setUp()
        self.write_policy(LENIENT)

    def test_it_moves_between_proven_hosts_with_a_warning(self):
        # when an admin migrates it, then it gets to the other proven host
        self.move({"migrate": None})
        self.assertEqual(base.OTHER, self.moved())
        self.assertIn("<hostdev", self.domain_xml(self.server))

        # and a resize with the device that it has brings it back
        self.resize(self.flavor(base.ONE_GPU, memory_mb=512))
        self.assertEqual(base.PROVEN, self.moved())
        self.assertEqual(
            [("move", "warn", ALLOW), ("resize", "warn", ALLOW)],
            judged(self.events),
        )

    def test_it_is_never_migrated_to_an_unproven_host(self):
        # given that only its own host has proven anything
        self.withdraw(base.OTHER)
        self.later()

        # when an admin migrates it, whatever ``moves`` says
        self.move({"migrate": None})
        self.stays(base.PROVEN, "migrate")

        # or names the host
        self.move({"migrate": {"host": THIRD}})
        self.wait(self.server, "ACTIVE")
        self.stays(base.PROVEN, "migrate")

        refusal = ("move", "refuse", [*ALLOW, *REQUIRE])
        self.assertEqual([refusal] * 2, judged(self.events))

    def test_a_resize_to_another_device_or_more_is_refused(self):
        for asked in (f"{base.ALIAS}:1,{base.ANOTHER}:1", f"{base.ALIAS}:2"):
            self.resize(self.flavor({"pci_passthrough:alias": asked}))
            self.stays(base.PROVEN, "resize")

        self.assertEqual(
            [("resize", "refuse", ALLOW)] * 2, judged(self.events)
        )

    def test_it_is_evacuated_to_a_proven_host_alone(self):
        # given that only its own host has proven anything
        self.withdraw(base.OTHER)
        self.later()

        # when it is rebuilt there, then that is not a move
        image = self.image()
        self.move({"rebuild": {"imageRef": image}})
        server = self.wait(self.server, "ACTIVE")
        self.assertEqual(image, server["image"]["id"])

        # and when that host fails, then it waits for one that has
        self.kill(base.PROVEN)
        self.assertEqual(base.PROVEN, self.evacuate("error"))
        self.prove(base.OTHER)
        self.later()
        self.assertEqual(base.OTHER, self.evacuate("done"))
        self.assertEqual(
            [
                ("rebuild", "warn", ALLOW),
                ("move", "refuse", [*ALLOW, *REQUIRE]),
                ("move", "warn", ALLOW),
            ],
            judged(self.events),
        )

    def test_a_resize_without_the_device_goes_anywhere(self):
        self.withdraw(base.OTHER)
        self.later()
        self.resize(self.flavor({}))
        self.assertIn(self.moved(), (base.OTHER, THIRD))
        self.assertEqual([("resize", "allow", [])], judged(self.events))


class TestServerWithPort(Servers):
    """A port's device comes along; no flavor says so."""

    SIZE = {}

    def setUp(self):
        super().setUp()
        self.write_policy(LENIENT)

    def networks(self):
        return [{"port": self.port()}]

    def test_it_is_migrated_to_a_proven_host_alone(self):
        self.withdraw(base.OTHER)
        self.later()
        self.move({"migrate": None})
        self.stays(base.PROVEN, "migrate")

        self.prove(base.OTHER)
        self.later()
        self.events.clear()
        self.move({"migrate": None})
        self.assertEqual(base.OTHER, self.moved())
        self.assertEqual([("move", "warn", ALLOW)], judged(self.events))
