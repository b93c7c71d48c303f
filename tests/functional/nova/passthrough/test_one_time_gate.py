# SPDX-License-Identifier: Apache-2.0
"""``passthrough.require: [one_time_use]``: each device of a request."""

from tests import services
from tests.functional.nova.passthrough import base, reissue
from tests.functional.nova.passthrough.moves import judged
from tests.functional.nova.passthrough.reissue import PF, VF, WHOLE, device

RULE = "passthrough.require"
NO_DEVICE = (
    "no host with room for this server has a one_time_use device for {}"
)


@services.needs_nova(32, "one_time_use of PCI devices")
class TestWhole(reissue.Once):
    SPEC = (device(WHOLE), device(PF))
    HAS = {"num_pci": 2, "num_pfs": 1, "num_vfs": 0}

    def test_each_kind_that_can_be_so(self):
        events = self.decisions()
        for flavor in (self.flavor_with(WHOLE, 2), self.flavor_with(PF)):
            self.assertEqual(base.PROVEN, self.lands_on(flavor))
        self.assertEqual([("boot", "allow", [])] * 2, judged(events))


class TestNotSo(reissue.Once):
    SPEC = (device(WHOLE, used_once=False), device(VF, used_once=False))
    HAS = {"num_pci": 1, "num_pfs": 1, "num_vfs": 2}

    def test_refused_with_the_reason(self):
        """A device without one_time_use, a function, and a port."""
        events = self.decisions()
        port = self.port()
        for words, wish in (
            (NO_DEVICE.format(WHOLE), {"flavor": self.flavor_with()}),
            (
                "asks for a virtual function, which cannot be one_time_use",
                {"flavor": self.flavor_with(VF)},
            ),
            (f"port {port} asks for vf", {"networks": [{"port": port}]}),
        ):
            self.assertIn(words, self.refused(**wish))
        self.assertEqual([("boot", "refuse", [RULE])] * 3, judged(events))

    def test_a_policy_that_does_not_refuse(self):
        """For modes and exemptions: tests/unit/test_verdict.py."""
        self.write_policy(
            reissue.POLICY.replace("require", "mode: warn, require")
        )
        events = self.decisions()
        self.lands_on(self.flavor_with())
        self.assertEqual([("boot", "warn", [RULE])], judged(events))


@services.needs_nova(32, "one_time_use of PCI devices")
class TestSome(reissue.Once):
    """One of two devices is one_time_use: Nova must not use the other."""

    SPEC = (
        device(WHOLE, used_once=False, address="0000:81:00.0"),
        device(WHOLE, address="0000:81:01.0"),
    )
    HAS = {"num_pci": 2, "num_pfs": 0, "num_vfs": 0}

    def test_the_candidates_are_narrowed(self):
        # two at once are too many
        self.assertIn(
            NO_DEVICE.format(WHOLE), self.refused(self.flavor_with(count=2))
        )

        flavor = self.flavor_with()
        server = self.build(flavor)
        self.wait(server, "ACTIVE")
        self.assertIn("slot='0x01'", self.domain_xml(server))

        # the other one is free, but no guest gets it
        self.assertIn(NO_DEVICE.format(WHOLE), self.refused(flavor))


class TestMoves(reissue.Once):
    SPEC = (device(WHOLE, used_once=False),)
    HOSTS = (base.PROVEN, base.OTHER)

    def test_no_server_moves_to_a_device_without_proof(self):
        self.write_policy(reissue.POLICY.replace("[one_time_use]", "[]"))
        server = self.build(self.flavor_with())
        self.wait(server, "ACTIVE")
        before = self.instance(server).host

        self.write_policy(reissue.POLICY + "moves: {hosts: audit}\n")
        events = self.decisions()
        self.act(server, {"migrate": None}, roles=("admin",))
        self.wait(server, "ACTIVE")

        self.assertEqual(before, self.instance(server).host)
        self.assertEqual([("move", "refuse", [RULE])], judged(events))
