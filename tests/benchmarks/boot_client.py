# SPDX-License-Identifier: Apache-2.0
"""A client of a Nova API that does nothing but boot servers."""

import json
from typing import Any

from tests.benchmarks import client

#: Seconds for a server to come or to go, on a machine that is busy.
LONG = 120
_VERSION = {"OpenStack-API-Version": "compute 2.90"}
_FLAVOR = "1"


class Desk(client.Client):
    """A client of a Nova API that does nothing but boot."""

    def __init__(self, port: int, token: str, image: str) -> None:
        super().__init__(0, port)
        self._headers = {**_VERSION, "X-Auth-Token": token}
        server = {
            "name": "benchmark",
            "imageRef": image,
            "flavorRef": _FLAVOR,
            "networks": "none",
        }
        self._choice = json.dumps({"server": server}).encode()

    def start(self) -> str:
        """Ask for a server; return its id."""
        answer = self._ask("POST", "/v2.1/servers", self._choice, 202)
        return str(answer["server"]["id"])

    def is_active(self, server: str) -> bool:
        """Return whether a server is there.

        :raises RuntimeError: if it never will be
        """
        result = self._ask("GET", f"/v2.1/servers/{server}")["server"]
        if result["status"] not in ("BUILD", "ACTIVE"):
            raise RuntimeError(f"a server became {result}")
        return bool(result["status"] == "ACTIVE")

    def delete(self, server: str) -> None:
        """Delete a server; its name may be there for a moment longer."""
        path = f"/v2.1/servers/{server}"
        self.timed("DELETE", path, expect=204, **self._headers)

    def left(self) -> int:
        """Return how many servers are there."""
        return len(self._ask("GET", "/v2.1/servers")["servers"])

    def _ask(
        self, method: str, path: str, body: Any = None, expect: int = 200
    ) -> Any:
        _, answer = self.timed(
            method, path, body, expect=expect, **self._headers
        )
        return json.loads(answer)
