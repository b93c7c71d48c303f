# SPDX-License-Identifier: Apache-2.0
"""A Glance server process of the benchmarks, and its one client."""

import json
from functools import partial

from tests.benchmarks import client

PATCH = "application/openstack-images-v2.1-json-patch"
SERVER = "tests.benchmarks.glance_server"
OCTETS = "application/octet-stream"
BLOCK = bytes(1 << 20)

IMAGE = {
    "name": "benchmark",
    "disk_format": "raw",
    "container_format": "bare",
    "min_ram": 512,
    "tags": ["base"],
    "os_distro": "debian",
    "os_version": "13",
    "hw_disk_bus": "virtio",
    "hw_vif_model": "virtio",
    "hw_video_model": "virtio",
    "hw_machine_type": "q35",
    "hw_firmware_type": "uefi",
    "hw_qemu_guest_agent": "yes",
}
BODY = json.dumps(IMAGE).encode()

_CHANGE = b'[{"op": "add", "path": "/hw_disk_bus", "value": "virtio"}]'
# Removed and put back, so that there is something to remove.
_REMOVAL = b'[{"op": "remove", "path": "/hw_vif_model"}]'
_RETURN = b'[{"op": "add", "path": "/hw_vif_model", "value": "virtio"}]'


class Glance(client.Client):
    """A running Glance, with an image to show and to update."""

    def create(self) -> str:
        """Create an image; return its path."""
        answer = self.ask("POST", "/v2/images", BODY, expect=201)
        self.image = f"/v2/images/{json.loads(answer)['id']}"
        return self.image

    def post(self) -> float:
        """Create an image."""
        return self.measured("POST", "/v2/images", BODY, expect=201)

    def get(self) -> float:
        """Show an image."""
        return self.measured("GET", self.image)

    def patch(self) -> float:
        """Update a property."""
        return self.measured("PATCH", self.image, _CHANGE, PATCH)

    def patch_read(self) -> float:
        """Remove a property, of which the whole image has to be judged."""
        took = self.measured("PATCH", self.image, _REMOVAL, PATCH)
        self.ask("PATCH", self.image, _RETURN, PATCH)
        return took

    def fill(self, blocks: int) -> None:
        """Upload so many MiB to the image."""
        body = (BLOCK for _ in range(blocks))
        size = {"Content-Length": str(blocks * len(BLOCK))}
        path = f"{self.image}/file"
        self.ask("PUT", path, body, OCTETS, expect=204, **size)


#: Runs Glances for the benchmark; see ``client.serve``.
serve = partial(client.serve, SERVER, kind=Glance)
