# SPDX-License-Identifier: Apache-2.0
"""Servers that are older than the policy, and what happens when they move."""

from tests.functional.nova import base, helpers

ENFORCE = "moves: {guest_devices: enforce}\n"


class OldServer(base.FakeDriverCase):
    """A server with an IDE disk that booted before the policy forbade it."""

    POLICY = "enabled: false\n"
    HOSTS = ("host1", "host2")
    AFTER = ""
    # A server that moves leaves claims behind, and hosts fail.
    NEW_HOSTS = True

    def setUp(self):
        super().setUp()
        self.server = self.active(self.image(**helpers.IDE))
        self.write_policy(self.AFTER)
        self.events = self.decisions()

    def move(self, action):
        """Ask for a move as an admin."""
        response = self.act(self.server, action, roles=helpers.ADMIN)
        self.assertIn(response.status_int, (200, 202), response.text)

    def other_host(self):
        here = self.instance(self.server).host
        return next(host for host in self.HOSTS if host != here)

    def live_migrate(self, host=None):
        body = {"host": host, "block_migration": "auto"}
        self.move({"os-migrateLive": body})

    def shelve(self):
        self.move({"shelve": None})
        self.wait(self.server, "SHELVED_OFFLOADED")

    def evacuate(self):
        host = self.instance(self.server).host
        self.computes[host].stop()
        service = self.admin_api.get_services(
            host=host, binary="nova-compute"
        )[0]["id"]
        self.admin_api.put_service_force_down(service, True)
        self.move({"evacuate": {}})
        return host


class TestLetThrough(OldServer):
    """``moves.guest_devices`` is warn unless an operator says otherwise."""

    def warned(self, *operations):
        """Check that each gate that judged it let it pass with a warning.

        :param operations: as each gate calls it, the scheduler's last
        """
        self.assertEqual(
            [
                (operation, "warn", ["guest_devices.disk_bus"])
                for operation in operations or ("move",)
            ],
            [(e["operation"], e["outcome"], e["rules"]) for e in self.events],
        )

    def test_resize(self):
        # when the server is resized, then it is, with a warning
        self.move({"resize": {"flavorRef": "2"}})
        self.wait(self.server, "VERIFY_RESIZE")
        self.warned("resize", "resize")

    def test_cold_migration(self):
        host = self.other_host()
        self.move({"migrate": None})
        self.wait(self.server, "VERIFY_RESIZE")
        self.assertEqual(host, self.instance(self.server).host)
        self.warned()

    def test_live_migration(self):
        host = self.other_host()
        self.live_migrate()
        self._wait_for_migration_status({"id": self.server}, ["completed"])
        self.assertEqual(host, self.instance(self.server).host)
        self.warned()

    def test_live_migration_to_a_host(self):
        host = self.other_host()
        self.live_migrate(host)
        self._wait_for_migration_status({"id": self.server}, ["completed"])
        self.warned()

    def test_unshelve(self):
        self.shelve()
        self.move({"unshelve": None})
        self.wait(self.server, "ACTIVE")
        self.warned("unshelve", "move")

    def test_evacuation(self):
        host = self.evacuate()
        self._wait_for_migration_status({"id": self.server}, ["done"])
        self.assertNotEqual(host, self.instance(self.server).host)
        self.warned()

    def test_what_is_never_scheduled(self):
        """Reboot, stop, start, snapshot, delete: an old server can."""
        for action, status in (
            ({"reboot": {"type": "HARD"}}, "ACTIVE"),
            ({"os-stop": None}, "SHUTOFF"),
            ({"os-start": None}, "ACTIVE"),
            ({"createImage": {"name": "a snapshot"}}, "ACTIVE"),
        ):
            self.move(action)
            self.wait(self.server, status)
        self._delete_server({"id": self.server})
        self.assertEqual([], self.events)


class TestRefused(OldServer):
    """Where an operator sets ``moves.guest_devices`` to enforce."""

    AFTER = ENFORCE

    def stays(self, host, action):
        """Check that the scheduler left the server where it was, and why."""
        self._wait_for_action_fail_completion(
            {"id": self.server}, action, "conductor_" + EVENTS[action]
        )
        self.unmoved(host, "move")

    def unmoved(self, host, operation):
        self.assertEqual("ACTIVE", self.wait(self.server, "ACTIVE")["status"])
        self.assertEqual(host, self.instance(self.server).host)
        # Nova gives the admin a text of its own; ours is in the event
        self.assertEqual(
            [(operation, "refuse", ["guest_devices.disk_bus"])],
            [(e["operation"], e["outcome"], e["rules"]) for e in self.events],
        )
        allocations = self.allocations(self.server)
        self.assertEqual(
            [self._get_provider_uuid_by_host(host)], [*allocations]
        )

    def test_resize(self):
        """The API's gate refuses it at once, and says why."""
        host = self.instance(self.server).host
        resize = {"resize": {"flavorRef": "2"}}
        response = self.act(self.server, resize, roles=helpers.ADMIN)
        self.assertEqual(403, response.status_int, response.text)
        self.assertIn("hw_disk_bus='ide'", base.text(response))
        self.unmoved(host, "resize")

    def test_cold_migration(self):
        host = self.instance(self.server).host
        self.move({"migrate": None})
        self.stays(host, "migrate")

    def test_live_migration(self):
        host = self.instance(self.server).host
        self.live_migrate()
        self.stays(host, "live-migration")


EVENTS = {
    "migrate": "migrate_server",
    "live-migration": "live_migrate_instance",
}
