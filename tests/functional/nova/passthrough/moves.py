# SPDX-License-Identifier: Apache-2.0
"""A server that exists, and an admin who moves it."""

from tests.functional.nova import helpers
from tests.functional.nova.passthrough.fleet import Fleet

_MIGRATION = {
    "resize": "conductor_migrate_server",
    "migrate": "conductor_migrate_server",
    "live-migration": "conductor_live_migrate_instance",
}


class Moves(Fleet):
    """Mixin for one of Nova's test cases.

    :ivar server: id of the server
    """

    server: str

    def move(self, action: object) -> None:
        """Ask for a move as an admin."""
        response = self.act(self.server, action, roles=helpers.ADMIN)
        assert response.status_int in (200, 202, 204), response.text

    def resize(self, flavor: str) -> None:
        """Ask for a resize, as the server's owner."""
        action = {"resize": {"flavorRef": flavor}}
        response = self.act(self.server, action)
        assert response.status_int == 202, response.text

    def host(self) -> str:
        """Return the host that the server is on."""
        return str(self.instance(self.server).host)

    def moved(self) -> str:
        """Wait for the end of a cold move; return the host.

        The move is confirmed, so that the next one can begin.
        """
        self.wait(self.server, "VERIFY_RESIZE")
        self.move({"confirmResize": None})
        self.wait(self.server, "ACTIVE")
        return self.host()

    def stays(self, host: str, action: str) -> None:
        """Check that a move failed and left everything as it was.

        The admin is told in Nova's own words; ours are in the event.
        """
        self._wait_for_action_fail_completion(
            {"id": self.server}, action, _MIGRATION[action]
        )
        self.wait(self.server, "ACTIVE")
        self.assertEqual(host, self.host())
        self.assertEqual(
            {self.provider(host)}, set(self.allocations(self.server))
        )

    def kill(self, host: str) -> None:
        """Let a host fail, and Nova know."""
        self.computes[host].stop()
        uuid = self.computes[host].service_ref.uuid
        self.admin_api.put_service(uuid, {"forced_down": True})

    def evacuate(self, outcome: str) -> str:
        """Evacuate the server; return its host.

        :param outcome: status that the migration ends with
        """
        self.move({"evacuate": {}})
        self._wait_for_migration_status({"id": self.server}, [outcome])
        self.settle()
        return self.host()


def judged(events: list[dict]) -> list[tuple]:
    """Return of each decision what a test asks about."""
    return [(e["operation"], e["outcome"], e["rules"]) for e in events]
