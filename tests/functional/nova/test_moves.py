# SPDX-License-Identifier: Apache-2.0
"""Servers that are older than the policy, and what happens when they move."""

from tests.functional.nova import base, helpers

RULES = ["guest_devices.disk_bus"]
LIVE = {"host": None, "block_migration": "auto"}
FAILED = {
    "migrate": "conductor_migrate_server",
    "live-migration": "conductor_live_migrate_instance",
}


class TestOldServer(base.FakeDriverCase):
    """A server with an IDE disk that booted before the policy forbade it."""

    POLICY = "enabled: false\n"
    HOSTS = ("host1", "host2")
    # A server that moves leaves claims behind, and hosts fail.
    NEW_HOSTS = True

    def setUp(self):
        super().setUp()
        self.server = self.active(self.image(**helpers.IDE))
        self.write_policy("")
        self.events = self.decisions()

    def move(self, action):
        """Ask for a move as an admin."""
        self.events.clear()
        response = self.act(self.server, action, roles=helpers.ADMIN)
        self.assertIn(response.status_int, (200, 202, 204), response.text)

    def seen(self):
        """Return what the events say."""
        return [
            (each["operation"], each["outcome"], each["rules"])
            for each in self.events
        ]

    def host(self):
        return self.instance(self.server).host

    def test_each_move_is_allowed(self):
        """``moves.guest_devices`` is ``warn`` by default.

        Each gate has its own name for a move; the scheduler's comes last.
        Evacuation is in passthrough/test_host_moves.
        """
        resized = "VERIFY_RESIZE"
        for action, status, *operations in (
            ({"resize": {"flavorRef": "2"}}, resized, "resize", "resize"),
            ({"migrate": None}, resized, "move"),
            ({"os-migrateLive": LIVE}, "ACTIVE", "move"),
            # An old server can do everything that Nova does not schedule.
            ({"reboot": {"type": "HARD"}}, "ACTIVE"),
            ({"os-stop": None}, "SHUTOFF"),
            ({"os-start": None}, "ACTIVE"),
            ({"createImage": {"name": "a snapshot"}}, "ACTIVE"),
            ({"shelve": None}, "SHELVED_OFFLOADED"),
            ({"unshelve": None}, "ACTIVE", "unshelve", "move"),
        ):
            before = self.host()
            self.move(action)
            self.wait(self.server, status)
            seen = self.seen()
            self.assertEqual([*operations], [name for name, *_ in seen])
            if "unshelve" in action or not operations:
                continue
            self.assertNotEqual(before, self.host())
            expected = [(name, "warn", RULES) for name in operations]
            self.assertEqual(expected, seen)
            if status == resized:
                self.move({"confirmResize": None})
                self.wait(self.server, "ACTIVE")

    def test_each_move_is_refused_where_an_operator_enforces_it(self):
        self.write_policy("moves: {guest_devices: enforce}\n")
        host = self.host()
        (other,) = {*self.HOSTS} - {host}
        response = self.act(self.server, {"resize": {"flavorRef": "2"}})
        self.assertEqual(403, response.status_int, response.text)
        self.assertEqual([("resize", "refuse", RULES)], self.seen())
        for body, action in (
            ({"migrate": None}, "migrate"),
            ({"os-migrateLive": LIVE}, "live-migration"),
            ({"os-migrateLive": {**LIVE, "host": other}}, "live-migration"),
        ):
            self.move(body)
            self._wait_for_action_fail_completion(
                {"id": self.server}, action, FAILED[action]
            )
            self.settle()
            # Nova gives the admin a text of its own; ours is in the event.
            self.assertEqual([("move", "refuse", RULES)], self.seen())
            self.wait(self.server, "ACTIVE")
            provider = self._get_provider_uuid_by_host(host)
            allocated = [*self.allocations(self.server)]
            self.assertEqual((host, [provider]), (self.host(), allocated))
        # Nova leaves a server that is not evacuated where it was.
        self.computes[host].stop()
        uuid = self.computes[host].service_ref.uuid
        self.admin_api.put_service(uuid, {"forced_down": True})
        for outcome, mode in (("error", "refuse"), ("done", "warn")):
            self.move({"evacuate": {}})
            self._wait_for_migration_status({"id": self.server}, [outcome])
            self.settle()
            self.assertEqual([("move", mode, RULES)], self.seen())
            now = host if mode == "refuse" else other
            self.assertEqual(now, self.host())
            self.write_policy("")
