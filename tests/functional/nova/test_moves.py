# SPDX-License-Identifier: Apache-2.0
"""Servers that are older than the policy, and what happens when they move."""

from tests.functional.nova import base, helpers

ENFORCE = "moves: {guest_devices: enforce}\n"
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

    def moved(self, action, status, *operations):
        """Check that each gate lets a move pass with a warning.

        :param operations: as each gate calls it, the scheduler's last
        """
        before = self.host()
        self.move(action)
        self.wait(self.server, status)
        self.assertNotEqual(before, self.host())
        expected = [(operation, "warn", RULES) for operation in operations]
        self.assertEqual(expected, self.seen())
        if status == "VERIFY_RESIZE":
            self.move({"confirmResize": None})
            self.wait(self.server, "ACTIVE")

    def test_each_move_is_let_through(self):
        """``moves.guest_devices`` is warn unless an operator says else."""
        resize = {"resize": {"flavorRef": "2"}}
        self.moved(resize, "VERIFY_RESIZE", "resize", "resize")
        self.moved({"migrate": None}, "VERIFY_RESIZE", "move")
        self.moved({"os-migrateLive": LIVE}, "ACTIVE", "move")
        (other,) = set(self.HOSTS) - {self.host()}
        to_a_host = {"os-migrateLive": {**LIVE, "host": other}}
        self.moved(to_a_host, "ACTIVE", "move")
        # What is never scheduled, an old server can.
        for action, status in (
            ({"reboot": {"type": "HARD"}}, "ACTIVE"),
            ({"os-stop": None}, "SHUTOFF"),
            ({"os-start": None}, "ACTIVE"),
            ({"createImage": {"name": "a snapshot"}}, "ACTIVE"),
            ({"shelve": None}, "SHELVED_OFFLOADED"),
        ):
            self.move(action)
            self.wait(self.server, status)
            self.assertEqual([], self.events)
        self.move({"unshelve": None})
        self.wait(self.server, "ACTIVE")
        operations = [operation for operation, _, _ in self.seen()]
        self.assertEqual(["unshelve", "move"], operations)

    def test_an_evacuation_is_let_through(self):
        host = self.host()
        self.computes[host].stop()
        service = self.admin_api.get_services(
            host=host, binary="nova-compute"
        )[0]["id"]
        self.admin_api.put_service_force_down(service, True)
        self.move({"evacuate": {}})
        # Nova names the new host after the new status.
        self._wait_for_migration_status({"id": self.server}, ["done"])
        self.assertNotEqual(host, self.host())
        self.assertEqual([("move", "warn", RULES)], self.seen())

    def test_each_move_is_refused_where_an_operator_enforces_it(self):
        self.write_policy(ENFORCE)
        host = self.host()
        response = self.act(self.server, {"resize": {"flavorRef": "2"}})
        self.assertEqual(403, response.status_int, response.text)
        self.assertIn("hw_disk_bus='ide'", base.text(response))
        self.assertEqual([("resize", "refuse", RULES)], self.seen())
        for body, action in (
            ({"migrate": None}, "migrate"),
            ({"os-migrateLive": LIVE}, "live-migration"),
        ):
            self.move(body)
            self._wait_for_action_fail_completion(
                {"id": self.server}, action, FAILED[action]
            )
            # Nova gives the admin a text of its own; ours is in the event.
            self.assertEqual([("move", "refuse", RULES)], self.seen())
            self.wait(self.server, "ACTIVE")
            self.assertEqual(host, self.host())
            self.assertEqual(
                [self._get_provider_uuid_by_host(host)],
                [*self.allocations(self.server)],
            )
