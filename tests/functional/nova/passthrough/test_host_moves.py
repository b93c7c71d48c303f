# SPDX-License-Identifier: Apache-2.0
"""``hosts.require`` for servers that move."""

from tests.functional.nova.passthrough import base
from tests.functional.nova.passthrough.moves import Moves, judged

RULE = ["hosts.require"]
WARNED = [("move", "warn", RULE)]
LIVE = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
REQUIRE = "hosts: {require: [iommu]}\n"
ENFORCE = REQUIRE + "moves: {hosts: enforce}\n"


class OldServer(Moves, base.FakeHosts):
    """A server that booted before its cloud demanded anything."""

    HOSTS = ("host1", "host2", "host3")
    POLICY = ""
    AFTER = REQUIRE

    def setUp(self):
        super().setUp()
        self.server = self.build(host="host1", roles=("admin",))
        self.wait(self.server, "ACTIVE")
        self.write_policy(self.AFTER)
        self.events = self.decisions()


class TestMovesWarn(OldServer):
    """``moves.hosts`` is warn unless an operator says otherwise."""

    def test_it_is_migrated_anywhere_with_a_warning(self):
        self.move({"migrate": None})

        self.assertNotEqual("host1", self.moved())
        self.assertEqual(WARNED, judged(self.events))


class TestMovesEnforce(OldServer):
    AFTER = ENFORCE

    def test_cold_and_live_migration(self):
        # given no host that has proven itself, then it can go nowhere
        for body, name in (
            ({"migrate": None}, "migrate"),
            ({"resize": {"flavorRef": "2"}}, "resize"),
            (LIVE, "live-migration"),
        ):
            self.move(body)
            self.stays("host1", name)
        self.assertEqual(
            [(name, "refuse", RULE) for name in ("move", "resize", "move")],
            judged(self.events),
        )

        # and then to the host that has
        self.prove("host3")
        self.later()
        self.move({"migrate": None})
        self.assertEqual("host3", self.moved())

        self.withdraw("host3")
        self.prove("host2")
        self.later()
        self.move(LIVE)
        self._wait_for_migration_status({"id": self.server}, ["completed"])
        self.assertEqual("host2", self.host())

    def test_unshelve(self):
        self.prove("host3")
        self.move({"shelve": None})
        self.wait(self.server, "SHELVED_OFFLOADED")

        self.move({"unshelve": None})

        self.wait(self.server, "ACTIVE")
        self.assertEqual("host3", self.host())


class TestEvacuation(OldServer):
    NEW_HOSTS = True

    def test_an_evacuation(self):
        """It waits for a proven host, or is warned about."""
        self.write_policy(ENFORCE)
        self.kill("host1")
        self.assertEqual("host1", self.evacuate("error"))

        self.prove("host3")
        self.later()
        self.assertEqual("host3", self.evacuate("done"))
