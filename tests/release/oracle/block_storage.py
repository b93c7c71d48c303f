# SPDX-License-Identifier: Apache-2.0
"""Behavior of a real Cinder that Nova's fixture omits.

A volume has the image metadata of its source, a reimaged volume gets the
metadata of the new image, and the interface from before attachments still
works.
"""

from collections.abc import Callable
from typing import Any

import fixtures
from nova.tests.fixtures import cinder as fixture
from nova.volume import cinder

CINDER = "nova.volume.cinder.API"


class BlockStorage(fixtures.Fixture):
    """Completes a CinderFixture that is in place.

    :param metadata_of: returns the metadata of a volume made of an image
    :param send_event: sends an external event to Nova's API
    """

    def __init__(
        self,
        cinder: fixture.CinderFixture,
        metadata_of: Callable[[str], dict[str, str]],
        send_event: Callable[[dict[str, str]], object],
    ) -> None:
        super().__init__()
        self._cinder = cinder
        self._metadata_of = metadata_of
        self._send_event = send_event

    def _setUp(self) -> None:
        self._create = cinder.API.create.side_effect
        cinder.API.create.side_effect = self._made
        cinder.API.reimage_volume.side_effect = self._reimaged
        cinder.API.initialize_connection.side_effect = self._connected
        for name in ("attach", "detach"):
            self.useFixture(fixtures.MockPatch(f"{CINDER}.{name}"))

    def _made(self, *args: Any, **more: Any) -> dict[str, Any]:
        volume: dict[str, Any] = self._create(*args, **more)
        metadata: dict[str, str] = {}
        if more.get("snapshot"):
            origin = self._cinder.volumes[more["snapshot"]["volume_id"]]
            metadata = origin["volume_image_metadata"]
        elif more.get("image_id"):
            metadata = self._metadata_of(more["image_id"])
        volume["volume_image_metadata"] = dict(metadata)
        volume["bootable"] = bool(metadata)
        return volume

    def _reimaged(
        self, _context: Any, volume: str, image: str, **more: Any
    ) -> None:
        """Reimage a volume, and notify Nova when it is done."""
        metadata = self._metadata_of(image)
        self._cinder.volumes[volume]["volume_image_metadata"] = metadata
        result = self._cinder.volume_to_attachment[volume].values()
        for server in {attachment["instance_uuid"] for attachment in result}:
            self._send_event(
                {
                    "name": "volume-reimaged",
                    "server_uuid": server,
                    "tag": volume,
                    "status": "completed",
                }
            )

    def _connected(
        self, _context: Any, volume: str, _connector: Any
    ) -> dict[str, Any]:
        return {"driver_volume_type": "fake", "data": {"volume_id": volume}}
