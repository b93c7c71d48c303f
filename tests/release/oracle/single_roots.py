# SPDX-License-Identifier: Apache-2.0
"""Roots of each kind that Nova's API knows, one thing named in each.

Everything is clean here; changes.py spoils it.
"""

from tests.release.oracle.cloud import Cloud
from tests.release.oracle.root import (
    SCSI,
    VIRTIO,
    Root,
    entry,
    format_1,
    format_2,
    made_volume,
)


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
    first = entry("image", name, destination_type="local")
    second = {
        "boot_index": -1,
        "source_type": "blank",
        "destination_type": "volume",
        "volume_size": 1,
        "disk_bus": "scsi",
    }
    return Root(name, {"imageRef": name, **format_2(first, second)})


def volume(cloud: Cloud) -> Root:
    """Format 2."""
    name, disk = made_volume(cloud, VIRTIO)
    return Root(name, format_2(entry("volume", disk)), volume=disk)


def volume_scsi(cloud: Cloud) -> Root:
    """Its bus stays in Nova's database."""
    name, disk = made_volume(cloud, SCSI)
    return Root(name, format_2(entry("volume", disk)), volume=disk)


def snapshot(cloud: Cloud) -> Root:
    """Return a volume that Nova creates from a snapshot."""
    name, origin = made_volume(cloud, VIRTIO)
    named = entry("snapshot", cloud.snapshot(origin))
    return Root(name, format_2(named), origin=origin)


def image_to_volume(cloud: Cloud) -> Root:
    """Return a volume that Nova creates from an image."""
    name = cloud.image(**VIRTIO)
    return Root(name, format_2(entry("image", name, volume_size=1)))


def volume_format_1(cloud: Cloud) -> Root:
    name, disk = made_volume(cloud, VIRTIO)
    return Root(name, format_1(volume_id=disk), volume=disk)


def snapshot_format_1(cloud: Cloud) -> Root:
    name, origin = made_volume(cloud, VIRTIO)
    named = format_1(snapshot_id=cloud.snapshot(origin))
    return Root(name, named, origin=origin)
