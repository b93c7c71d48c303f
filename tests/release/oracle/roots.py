# SPDX-License-Identifier: Apache-2.0
"""Sources of a server's root disk, and their form in Nova's API.

Everything is clean here; changes.py spoils it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.release.oracle.cloud import Cloud

VIRTIO = {"hw_disk_bus": "virtio", "hw_vif_model": "virtio"}
SCSI = {**VIRTIO, "hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"}
#: Names for ids in a body: an image and its volume, another image, and the
#: snapshot of a volume of that other image.
IMAGE, VOLUME, OTHER, SNAPSHOT = "IMAGE", "VOLUME", "OTHER", "SNAPSHOT"


@dataclass(frozen=True)
class Source:
    """A way to boot a server.

    :ivar body: additional keys of the body of POST /servers
    :ivar targets: objects that can be changed after the boot
    :ivar image: image from which the root disk is created in the end
    :ivar properties: of each image
    :ivar version: API version that accepts this body
    """

    body: dict[str, Any]
    targets: tuple[str, ...]
    image: str = IMAGE
    properties: dict[str, str] = field(default_factory=lambda: VIRTIO)
    version: str = "v2.1"


@dataclass
class Root:
    """Source that a server is booted from, by the ids of its objects.

    :ivar volume: existing volume that becomes the root disk, if any
    :ivar origin: volume of the snapshot that is named
    """

    image: str
    body: dict[str, Any]
    volume: str | None
    origin: str | None
    version: str


def filled(body: Any, **makers: Callable[[], str]) -> Any:
    """Return a body with ids for the names in it; each is made if needed."""
    text = json.dumps(body)
    for name, make in makers.items():
        if f'"{name}"' in text:
            text = text.replace(f'"{name}"', f'"{make()}"')
    return json.loads(text)


def make(cloud: Cloud, name: str) -> Root:
    """Make the objects of a root."""
    source = ROOTS[name]
    image = cloud.image(**source.properties)
    other = cloud.image(**source.properties)
    volume = cloud.volume(**cloud.metadata_of(image))
    origin = cloud.volume(**cloud.metadata_of(other))
    body = filled(
        source.body,
        IMAGE=lambda: image,
        OTHER=lambda: other,
        VOLUME=lambda: volume,
        SNAPSHOT=lambda: cloud.snapshot(origin),
    )
    named = json.dumps(body)
    return Root(
        image if source.image == IMAGE else other,
        body,
        volume if volume in named else None,
        origin if SNAPSHOT in json.dumps(source.body) else None,
        source.version,
    )


def _entry(kind: str, uuid: str, **more: Any) -> dict[str, Any]:
    """Return the part of a body that has a root device in format 2."""
    root = {
        "boot_index": 0,
        "source_type": kind,
        "uuid": uuid,
        "destination_type": "volume",
    }
    return {"block_device_mapping_v2": [{**root, **more}]}


def _format_1(**entry: str) -> dict[str, Any]:
    """Return the part of a body that has a root device in format 1."""
    return {"block_device_mapping": [{"device_name": "vda", **entry}]}


_LOCAL = _entry("image", IMAGE, destination_type="local")
_BLANK = {
    "boot_index": -1,
    "source_type": "blank",
    "destination_type": "volume",
    "volume_size": 1,
    "disk_bus": "scsi",
}
_TWO = ("volume", "origin")
ROOTS = {
    # on the host's disk
    "image": Source({"imageRef": IMAGE}, ("image",)),
    # its bus stays in Nova's database
    "image-scsi": Source({"imageRef": IMAGE}, ("image",), properties=SCSI),
    # an image, and an empty second volume on a bus of the body's
    "blank": Source(
        {
            "imageRef": IMAGE,
            "block_device_mapping_v2": [
                *_LOCAL["block_device_mapping_v2"],
                _BLANK,
            ],
        },
        ("image",),
        properties={**VIRTIO, "hw_scsi_model": "virtio-scsi"},
    ),
    "volume": Source(_entry("volume", VOLUME), ("volume",)),
    "volume-scsi": Source(
        _entry("volume", VOLUME), ("volume",), properties=SCSI
    ),
    # volumes that Nova creates from a snapshot, and from an image
    "snapshot": Source(_entry("snapshot", SNAPSHOT), _TWO, OTHER),
    "image-to-volume": Source(
        _entry("image", IMAGE, volume_size=1), ("image", "volume")
    ),
    "volume-v1": Source(_format_1(volume_id=VOLUME), ("volume",)),
    "snapshot-v1": Source(_format_1(snapshot_id=SNAPSHOT), _TWO, OTHER),
    # a request that names two things, which disagree
    "image+volume": Source(
        {"imageRef": OTHER, **_entry("volume", VOLUME)}, ("volume",)
    ),
    "volume+snapshot": Source(
        _entry("volume", VOLUME, snapshot_id=SNAPSHOT), _TWO
    ),
    "snapshot+volume": Source(
        _entry("snapshot", SNAPSHOT, volume_id=VOLUME), _TWO
    ),
    "volume+image": Source(
        _entry("volume", VOLUME, image_id=OTHER), ("volume", "image"), OTHER
    ),
    "volume+snapshot-v1": Source(
        _format_1(volume_id=VOLUME, snapshot_id=SNAPSHOT), _TWO
    ),
    # format 1 has no such keys; Nova's API v2 drops them
    "foreign-keys-v1": Source(
        _format_1(volume_id=VOLUME, source_type="image", uuid=IMAGE),
        ("volume", "image"),
        version="v2",
    ),
}
