# SPDX-License-Identifier: Apache-2.0
"""What a server's root is made of, in each way that Nova's API knows.

Everything is clean here; changes.py spoils it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.cloud import Cloud

VIRTIO = {"hw_disk_bus": "virtio", "hw_vif_model": "virtio"}
SCSI = {**VIRTIO, "hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"}


@dataclass
class Root:
    """What a server is booted with.

    :ivar image: that it is made of, in the end
    :ivar body: more of the body of POST /servers
    :ivar volume: that becomes its root disk, if it is there before
    :ivar origin: the volume of which a snapshot is named
    """

    image: str
    body: dict[str, Any] = field(default_factory=dict)
    volume: str | None = None
    origin: str | None = None


def _volume(cloud: Cloud, properties: dict[str, str]) -> tuple[str, str]:
    """Return an image and a volume made of it."""
    image = cloud.image(**properties)
    return image, cloud.volume(**cloud.metadata_of(image))


def image(cloud: Cloud) -> Root:
    """Root on the host's disk."""
    name = cloud.image(**VIRTIO)
    return Root(name, {"imageRef": name})


def image_scsi(cloud: Cloud) -> Root:
    """Its bus stays in Nova's database."""
    name = cloud.image(**SCSI)
    return Root(name, {"imageRef": name})


def blank(cloud: Cloud) -> Root:
    """An image, and an empty second volume on a bus of the body's."""
    name = cloud.image(**{**VIRTIO, "hw_scsi_model": "virtio-scsi"})
    first = _entry("image", name, destination_type="local")
    second = {
        "boot_index": -1,
        "source_type": "blank",
        "destination_type": "volume",
        "volume_size": 1,
        "disk_bus": "scsi",
    }
    return Root(name, {"imageRef": name, **_v2(first, second)})


def volume(cloud: Cloud) -> Root:
    """Format 2."""
    name, disk = _volume(cloud, VIRTIO)
    return Root(name, _v2(_entry("volume", disk)), volume=disk)


def volume_scsi(cloud: Cloud) -> Root:
    """Its bus stays in Nova's database."""
    name, disk = _volume(cloud, SCSI)
    return Root(name, _v2(_entry("volume", disk)), volume=disk)


def snapshot(cloud: Cloud) -> Root:
    """A volume that Nova makes of a snapshot."""
    name, origin = _volume(cloud, VIRTIO)
    entry = _entry("snapshot", cloud.snapshot(origin))
    return Root(name, _v2(entry), origin=origin)


def image_to_volume(cloud: Cloud) -> Root:
    """A volume that Nova makes of an image."""
    name = cloud.image(**VIRTIO)
    return Root(name, _v2(_entry("image", name, volume_size=1)))


def volume_format_1(cloud: Cloud) -> Root:
    name, disk = _volume(cloud, VIRTIO)
    return Root(name, _v1(volume_id=disk), volume=disk)


def snapshot_format_1(cloud: Cloud) -> Root:
    name, origin = _volume(cloud, VIRTIO)
    entry = _v1(snapshot_id=cloud.snapshot(origin))
    return Root(name, entry, origin=origin)


def image_and_volume(cloud: Cloud) -> Root:
    """``imageRef`` names one thing, the root disk another."""
    name, disk = _volume(cloud, VIRTIO)
    body = {"imageRef": cloud.image(**VIRTIO), **_v2(_entry("volume", disk))}
    return Root(name, body, volume=disk)


def volume_with_snapshot(cloud: Cloud) -> Root:
    """One entry that names two things, which disagree."""
    name, disk = _volume(cloud, VIRTIO)
    _, origin = _volume(cloud, VIRTIO)
    entry = _entry("volume", disk, snapshot_id=cloud.snapshot(origin))
    return Root(name, _v2(entry), volume=disk, origin=origin)


def snapshot_with_volume(cloud: Cloud) -> Root:
    name, disk = _volume(cloud, VIRTIO)
    _, origin = _volume(cloud, VIRTIO)
    entry = _entry("snapshot", cloud.snapshot(origin), volume_id=disk)
    return Root(name, _v2(entry), volume=disk, origin=origin)


def volume_with_image(cloud: Cloud) -> Root:
    _, disk = _volume(cloud, VIRTIO)
    name = cloud.image(**VIRTIO)
    entry = _entry("volume", disk, image_id=name)
    return Root(name, _v2(entry), volume=disk)


def both_format_1(cloud: Cloud) -> Root:
    name, disk = _volume(cloud, VIRTIO)
    _, origin = _volume(cloud, VIRTIO)
    entry = _v1(volume_id=disk, snapshot_id=cloud.snapshot(origin))
    return Root(name, entry, volume=disk, origin=origin)


def foreign_keys_format_1(cloud: Cloud) -> Root:
    """Format 1 has no such keys; the first version of the API drops them."""
    name, disk = _volume(cloud, VIRTIO)
    entry = _v1(volume_id=disk, source_type="image", uuid=name)
    return Root(name, entry, volume=disk)


def _entry(kind: str, uuid: str, **more: Any) -> dict[str, Any]:
    return {
        "boot_index": 0,
        "source_type": kind,
        "uuid": uuid,
        "destination_type": "volume",
        **more,
    }


def _v2(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"block_device_mapping_v2": list(entries)}


def _v1(**entry: str) -> dict[str, Any]:
    return {"block_device_mapping": [{"device_name": "vda", **entry}]}


Maker = Callable[[Cloud], Root]

#: Each root by name, and what of it can be changed after the boot.
ROOTS: dict[str, tuple[Maker, tuple[str, ...]]] = {
    "image": (image, ("image",)),
    "image-scsi": (image_scsi, ("image",)),
    "blank": (blank, ("image",)),
    "volume": (volume, ("volume",)),
    "volume-scsi": (volume_scsi, ("volume",)),
    "snapshot": (snapshot, ("volume", "origin")),
    "image-to-volume": (image_to_volume, ("image", "volume")),
    "volume-v1": (volume_format_1, ("volume",)),
    "snapshot-v1": (snapshot_format_1, ("volume", "origin")),
    "image+volume": (image_and_volume, ("volume",)),
    "volume+snapshot": (volume_with_snapshot, ("volume", "origin")),
    "snapshot+volume": (snapshot_with_volume, ("volume", "origin")),
    "volume+image": (volume_with_image, ("volume", "image")),
    "volume+snapshot-v1": (both_format_1, ("volume", "origin")),
    "foreign-keys-v1": (foreign_keys_format_1, ("volume", "image")),
}
