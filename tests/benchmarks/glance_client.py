# SPDX-License-Identifier: Apache-2.0
"""A Glance server process of the benchmarks, and its one client."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


class Glance(client.Client):
    """A running Glance."""

    def create(self) -> tuple[client.Took, str]:
        """Create an image; return what it took and the image's id."""
        taken, answer = self.measured("POST", "/v2/images", BODY, expect=201)
        return taken, json.loads(answer)["id"]

    def show(self, image: str) -> client.Took:
        """Return what it takes to show an image."""
        return self.measured("GET", f"/v2/images/{image}")[0]

    def update(self, image: str, body: bytes) -> client.Took:
        """Return what it takes to update an image."""
        path = f"/v2/images/{image}"
        return self.measured("PATCH", path, body, PATCH)[0]

    def fill(self, image: str, blocks: int) -> float:
        """Return how long it takes to upload so many MiB to a new image."""
        return self.timed(
            "PUT",
            f"/v2/images/{image}/file",
            (BLOCK for _ in range(blocks)),
            OCTETS,
            expect=204,
            **{"Content-Length": str(blocks * len(BLOCK))},
        )[0]

    def upload(self, blocks: int) -> float:
        """Fill an image and remove it; return how long the former takes."""
        _, image = self.create()
        taken = self.fill(image, blocks)
        self.timed("DELETE", f"/v2/images/{image}", expect=204)
        return taken


@contextmanager
def serve(
    *servers: tuple[Path, str], module: str = SERVER
) -> Iterator[list[Glance]]:
    """Run a Glance for each directory and filter until the block ends."""
    with client.serve(module, *servers) as result:
        yield [Glance(pid, port) for pid, port in result]
