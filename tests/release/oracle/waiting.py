# SPDX-License-Identifier: Apache-2.0
"""When Nova has done with a request, and how it ended."""

import time
from typing import Any

from nova.tests.functional.api import client

#: Long enough for a machine that has much else to do.
WAIT_SECONDS = 120
POLLS_A_SECOND = 4


class Waiting:
    """Mixed into a cloud: waits for ends, by the records of Nova's own."""

    admin_api: Any

    def end(self, server: str, request_id: str, ends: tuple[str, ...]) -> str:
        """Wait until Nova has done with a request; return what went wrong.

        :param ends: statuses of a server for which all went well
        """
        result: dict[str, Any] = {}
        for _ in range(WAIT_SECONDS * POLLS_A_SECOND):
            time.sleep(1 / POLLS_A_SECOND)
            events = self._events(server, request_id)
            if not events or not all(event["result"] for event in events):
                continue
            result = self.admin_api.get_server(server)
            failed = _failed(result, events)
            if result["OS-EXT-STS:task_state"] or failed is None:
                continue
            if failed or result["status"] in ends:
                return failed
        raise AssertionError(f"{ends} is not reached: {result}")

    def _events(self, server: str, request_id: str) -> list[dict[str, Any]]:
        path = f"/servers/{server}/os-instance-actions/{request_id}"
        try:
            action = self.admin_api.api_get(path).body["instanceAction"]
        except client.OpenStackApiNotFoundException:
            # a boot that no cell of Nova's has yet
            return []
        return list(action["events"])

    def remove_servers(self) -> None:
        """Delete every server, and wait until all are gone."""
        for server in self.admin_api.get_servers():
            self.admin_api.delete_server(server["id"])
        for _ in range(WAIT_SECONDS * POLLS_A_SECOND):
            time.sleep(1 / POLLS_A_SECOND)
            if not self.admin_api.get_servers():
                return
        raise AssertionError("servers remain")


def _failed(
    server: dict[str, Any], events: list[dict[str, Any]]
) -> str | None:
    """Return how a request failed, "" if it did not; None: not known yet."""
    if server["status"] == "ERROR":
        # Nova writes the fault a moment after the status
        fault = server.get("fault")
        return str(fault["message"]) if fault else None
    failed = [event for event in events if event["result"] != "Success"]
    return "; ".join(_reason(event) for event in failed)


def _reason(event: dict[str, Any]) -> str:
    """Return the last words of an event's traceback, where there are any."""
    lines = (event.get("traceback") or "").split("\n  File ")
    return f"{event['event']}: {lines[-1]} {event.get('details')}"
