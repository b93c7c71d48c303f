# SPDX-License-Identifier: Apache-2.0
"""Moves of servers that are older than the policy.

Moves of servers with passthrough devices, and to hosts without proof, are rows
of test_filter_alone.
"""

from tests.functional.nova import helpers, service
from tests.functional.nova.passthrough import base

RULES = ["guest_devices.disk_bus"]
LIVE = {"host": None, "block_migration": "auto"}
ENFORCED = "moves: {guest_devices: enforce}\n"
PROVEN = "hosts: {require: [iommu]}\nmoves: {hosts: enforce}\n"


class TestOldServer(base.FakeHosts):
    """A server with an IDE disk that booted before the policy forbade it."""

    API_GATE = service.GATE
    POLICY = "enabled: false\n"
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
        self.write_policy(ENFORCED)
        host = self.host()
        (other,) = {*self.HOSTS} - {host}
        response = self.act(self.server, {"resize": {"flavorRef": "2"}})
        self.assertEqual(403, response.status_int, response.text)
        self.assertEqual([("resize", "refuse", RULES)], self.seen())
        live, method = "live-migration", "conductor_live_migrate_instance"
        for body, action, event in (
            ({"migrate": None}, "migrate", "conductor_migrate_server"),
            ({"os-migrateLive": LIVE}, live, method),
            ({"os-migrateLive": {**LIVE, "host": other}}, live, method),
        ):
            self.move(body)
            self._wait_for_action_fail_completion(
                {"id": self.server}, action, event
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
        self.admin_api.put_service(
            self.computes[host].service_ref.uuid, {"forced_down": True}
        )
        for policy, proven, outcome, rules in (
            (ENFORCED, (), "refuse", RULES),
            (PROVEN, (), "refuse", [*RULES, "hosts.require"]),
            (PROVEN, (other,), "warn", RULES),
        ):
            self.write_policy(policy)
            self.prove(*proven)
            self.later()
            self.move({"evacuate": {}})
            status = "done" if proven else "error"
            self._wait_for_migration_status({"id": self.server}, [status])
            self.settle()
            self.assertEqual([("move", outcome, rules)], self.seen())
            self.assertEqual(other if proven else host, self.host())
