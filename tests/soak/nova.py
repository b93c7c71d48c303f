# SPDX-License-Identifier: Apache-2.0
"""A simulated nova-compute: writes what is its own, as the real one does."""

import time

import requests

FOREIGN = {"COMPUTE_NODE", "HW_CPU_X86_AVX2", "CUSTOM_OF_THE_OPERATOR"}

# Seconds that it goes on trying.
_LONG = 300


class NovaCompute:
    """The other writer of a resource provider.

    :ivar traits: that it has given the provider
    :ivar inventories: likewise
    """

    def __init__(self, client, provider):
        self._client = client
        self._url = f"/resource_providers/{provider}"
        self.traits = {"COMPUTE_NODE"}
        self.inventories = {}

    def update(self, random):
        """Change its traits and inventories, retrying on conflicts."""
        names = {f"CUSTOM_NOVA_{random.randrange(9)}" for _ in range(3)}
        for name in names:
            self._until_done(lambda name=name: self._name(name))
        traits = {"COMPUTE_NODE", *names}
        self._until_done(lambda: self._write_traits(traits))
        self.traits = traits
        total = random.randrange(1, 512)
        inventories = {"VCPU": total, "MEMORY_MB": total * 1024}
        self._until_done(lambda: self._write_inventories(inventories))
        self.inventories = inventories

    def _name(self, name):
        status, _ = self._client("PUT", f"/traits/{name}")
        return status in (201, 204)

    def _write_traits(self, traits):
        status, body = self._client("GET", f"{self._url}/traits")
        if status != 200 or not body:
            return False
        now = set(body["traits"])
        body["traits"] = sorted(now - self.traits | traits)
        status, _ = self._client("PUT", f"{self._url}/traits", body)
        # Where the answer is lost, all of both are its own.
        self.traits = self.traits | traits
        return status == 200

    def _write_inventories(self, inventories):
        status, body = self._client("GET", f"{self._url}/inventories")
        if status != 200 or not body:
            return False
        body["inventories"] = {
            name: {"total": total} for name, total in inventories.items()
        }
        status, _ = self._client("PUT", f"{self._url}/inventories", body)
        return status == 200

    @staticmethod
    def _until_done(call):
        deadline = time.monotonic() + _LONG
        while time.monotonic() < deadline:
            try:
                if call():
                    return
            except requests.RequestException:
                time.sleep(0.1)
        raise RuntimeError("nova-compute never got through")
