# SPDX-License-Identifier: Apache-2.0
"""A client of a Nova API that does nothing but boot servers."""

import json
import random
import time
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

    def boot(self, poll: float) -> tuple[float, str]:
        """Boot a server; return the seconds until it is there, and its id.

        :param poll: seconds between two questions; the first waits a random
            part of it, else a boot that is a little longer would be longer by
            a whole step, or not at all
        """
        start = time.perf_counter()
        answer = self._ask("POST", "/v2.1/servers", self._choice, 202)
        server = answer["server"]["id"]
        path = f"/v2.1/servers/{server}"
        time.sleep(poll * random.random())
        while (found := self._ask("GET", path)["server"])["status"] == "BUILD":
            if time.perf_counter() > start + LONG:
                break
            time.sleep(poll)
        if found["status"] != "ACTIVE":
            raise RuntimeError(f"a server became {found}")
        return time.perf_counter() - start, server

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
