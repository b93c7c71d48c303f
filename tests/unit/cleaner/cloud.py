# SPDX-License-Identifier: Apache-2.0
"""One device in a Placement that is a few dictionaries, for the model.

Generations are Placement's: each write of an inventory, of traits or of an
allocation makes a new one, and a write with an old one is a conflict.
"""

import json
from types import SimpleNamespace

ROOT, CLASS = "root", "CUSTOM_CARD"


def answer(status_code, body=None):
    """Return an answer as keystoneauth's, to a request."""
    return SimpleNamespace(
        status_code=status_code, text=json.dumps(body), json=lambda: body
    )


class Cloud:
    """A client for ``nova_vhard.placement.client.Placement``.

    :ivar before: called with method and address before each request
    :ivar after: likewise after it, when it is carried out
    :ivar on_offer: called when a write puts the device on offer
    """

    def __init__(self):
        self.providers, self.consumers, self.root_traits = 0, [], set()
        self.before = self.after = lambda method, url: None
        self.on_offer = lambda: None
        self.make()

    # What Nova and operators do.

    def make(self):
        """Create the device's resource provider, or replace it."""
        self.providers += 1
        self.provider = f"provider-{self.providers}"
        self.reserved, self.generation = 0, 1

    def reserve(self, reserved):
        self.reserved = reserved
        self.generation += 1

    def allocate(self, consumer):
        """Return whether a boot got the device."""
        if self.consumers or self.reserved:
            return False
        self.consumers.append(consumer)
        self.generation += 1
        return True

    def free(self):
        self.consumers.clear()
        self.generation += 1

    @property
    def offered(self):
        return not self.consumers and not self.reserved

    # What the cleaner asks.

    def get(self, url, version):
        return self._answer("GET", url)

    def put(self, url, data, version):
        return self._answer("PUT", url, data)

    def delete(self, url, version):
        return answer(204)

    def _answer(self, method, url, data=None):
        self.before(method, url)
        result = self._carried_out(method, url, data)
        self.after(method, url)
        return result

    def _carried_out(self, method, url, data):
        _, _, uuid, *part = f"{url}///".split("/")
        if url.startswith("/traits?name=in:"):
            # Each name exists.
            return answer(200, {"traits": url.partition(":")[2].split(",")})
        if url.startswith("/traits"):
            return answer(204)
        if uuid not in (ROOT, self.provider):
            return answer(404)
        if part[0] == "traits":
            return self._traits(data)
        body = {"resource_provider_generation": self.generation}
        if part[0] == "allocations":
            return answer(
                200, body | {"allocations": {x: {} for x in self.consumers}}
            )
        if method == "PUT":
            return self._inventory(data)
        fields = {"total": 1, "reserved": self.reserved}
        return answer(200, {**body, "inventories": {CLASS: fields}})

    def _inventory(self, data):
        if data["resource_provider_generation"] != self.generation:
            return answer(409)
        inventories = data.get("inventories", {CLASS: data})
        self.reserve(inventories[CLASS]["reserved"])
        if self.offered:
            self.on_offer()
        return answer(
            200, data | {"resource_provider_generation": self.generation}
        )

    def _traits(self, data):
        if data is not None:
            self.root_traits = {*data["traits"]}
        traits = sorted(self.root_traits)
        return answer(
            200, {"traits": traits, "resource_provider_generation": 1}
        )
