# SPDX-License-Identifier: Apache-2.0
"""Images and volumes in memory, as Nova's clients and the gate see them.

Only the far ends are replaced: which object is asked for, and what is made of
the answer, is Nova's own code on one side and the gate's on the other.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest import mock

from nova import exception
from nova.image import glance

from nova_vhard.gates import nova_images, nova_servers
from nova_vhard.gates.nova_lookup import NovaLookups

Objects = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Cloud:
    """Objects that can be looked up.

    :ivar images: ``properties`` and ``disk_format``, by ID
    :ivar volumes: as returned by nova.volume.cinder, by ID
    :ivar snapshots: as returned by nova.volume.cinder, by ID
    """

    images: Objects = field(default_factory=dict)
    volumes: Objects = field(default_factory=dict)
    snapshots: Objects = field(default_factory=dict)

    def shown_image(self, context: Any, image_id: Any) -> dict[str, Any]:
        """Return an image as nova_images.get does."""
        image = self.stored_image(context, image_id)
        return image.pop("properties", {}) | image

    def stored_image(self, _context: Any, image_id: Any) -> dict[str, Any]:
        """Return an image as Nova's image API does."""
        if image_id not in self.images:
            raise exception.ImageNotFound(image_id=image_id)
        return {
            "id": image_id,
            "owner": "project",
            **copy.deepcopy(dict(self.images[image_id])),
        }

    @property
    def glance(self) -> Any:
        """Nova's image API."""

        def get(context: Any, image_id: Any, **_: Any) -> Any:
            return glance._convert_from_string(
                {"name": "image", **self.stored_image(context, image_id)}
            )

        return SimpleNamespace(get=get)

    @property
    def cinder(self) -> Any:
        """Nova's volume API."""

        def get(_context: Any, name: Any, **_: Any) -> Any:
            if name not in self.volumes:
                raise exception.VolumeNotFound(volume_id=name)
            return copy.deepcopy(dict(self.volumes[name]))

        def get_snapshot(_context: Any, name: Any) -> Any:
            if name not in self.snapshots:
                raise exception.SnapshotNotFound(snapshot_id=name)
            return dict(self.snapshots[name])

        return SimpleNamespace(get=get, get_snapshot=get_snapshot)

    @contextmanager
    def lookups(
        self, context: Any, instance: Any = None, rows: Any = ()
    ) -> Iterator[NovaLookups]:
        """Give the gate's look-ups of one request.

        :param instance: the only server that there is
        :param rows: its block device mappings
        """
        servers = SimpleNamespace(get=lambda *_, **__: instance)
        services: Any = SimpleNamespace(volumes=self.cinder, servers=servers)
        devices = mock.patch.object(
            nova_servers, "block_devices", lambda *_: rows
        )
        images = mock.patch.object(nova_images, "get", self.shown_image)
        with devices, images:
            yield NovaLookups(services, context)
