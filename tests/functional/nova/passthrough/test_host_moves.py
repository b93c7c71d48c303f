# SPDX-License-Identifier: Apache-2.0
"""``hosts.require`` for servers that move."""

from tests.functional.nova.passthrough import base
from tests.functional.nova.passthrough.moves import Moves, judged

RULE = ["hosts.require"]
REQUIRE = "hosts: {require: [iommu]}\n"
ENFORCE = REQUIRE + "moves: {hosts: enforce}\n"


class OldServer(Moves, base.FakeHosts):
    """A server that booted before its cloud demanded anything."""

    HOSTS = ("host1", "host2", "host3")
    POLICY = ""
    AFTER = REQUIRE
    PROVEN: tuple[str, ...] = ()

    def setUp(self):
        super().setUp()
        self.server = self.build(host="host1", roles=("admin",))
        self.wait(self.server, "ACTIVE")
        self.prove(*self.PROVEN)
        self.write_policy(self.AFTER)
        self.events = self.decisions()

    def live_migrate(self):
        body = {"host": None, "block_migration": "auto"}
        self.move({"os-migrateLive": body})


class TestMovesWarn(OldServer):
    """``moves.hosts`` is warn unless an operator says otherwise."""

    WARNED = [("move", "warn", RULE)]

    def test_it_is_migrated_anywhere_with_a_warning(self):
        self.move({"migrate": None})

        self.assertNotEqual("host1", self.moved())
        self.assertEqual(self.WARNED, judged(self.events))

    def test_a_rebuild_is_not_judged_by_its_host(self):
        # given a strict rule, and a host that has proven nothing
        self.write_policy(ENFORCE)
        image = self.image()

        self.move({"rebuild": {"imageRef": image}})

        server = self.wait(self.server, "ACTIVE")
        self.assertEqual(image, server["image"]["id"])
        self.assertEqual([("rebuild", "allow", [])], judged(self.events))
        self.assertEqual([], self.asked)


class TestMovesEnforce(OldServer):
    AFTER = ENFORCE

    def test_nowhere_to_go(self):
        for body, name in (
            ({"migrate": None}, "migrate"),
            ({"resize": {"flavorRef": "2"}}, "resize"),
        ):
            self.move(body)
            self.stays("host1", name)
        self.live_migrate()
        self.stays("host1", "live-migration")
        self.assertEqual(
            [
                (operation, "refuse", RULE)
                for operation in ("move", "resize", "move")
            ],
            judged(self.events),
        )


class TestMovesToProvenHost(OldServer):
    AFTER = ENFORCE
    PROVEN = ("host3",)

    def test_cold_and_live_migration(self):
        self.move({"migrate": None})
        self.assertEqual("host3", self.moved())

        self.withdraw("host3")
        self.prove("host2")
        self.later()
        self.live_migrate()
        self._wait_for_migration_status({"id": self.server}, ["completed"])
        self.assertEqual("host2", self.host())

    def test_unshelve(self):
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

    def test_with_a_warning(self):
        self.kill("host1")
        self.assertNotEqual("host1", self.evacuate("done"))
        self.assertEqual([("move", "warn", RULE)], judged(self.events))
