# SPDX-License-Identifier: Apache-2.0
"""Roots for which a request names two things, which disagree."""

from tests.release.oracle.cloud import Cloud
from tests.release.oracle.root import (
    VIRTIO,
    Root,
    entry,
    format_1,
    format_2,
    made_volume,
)


def image_and_volume(cloud: Cloud) -> Root:
    """``imageRef`` names one thing, the root disk another."""
    name, disk = made_volume(cloud, VIRTIO)
    named = format_2(entry("volume", disk))
    body = {"imageRef": cloud.image(**VIRTIO), **named}
    return Root(name, body, volume=disk)


def volume_with_snapshot(cloud: Cloud) -> Root:
    """One entry that names two things, which disagree."""
    name, disk = made_volume(cloud, VIRTIO)
    _, origin = made_volume(cloud, VIRTIO)
    named = entry("volume", disk, snapshot_id=cloud.snapshot(origin))
    return Root(name, format_2(named), volume=disk, origin=origin)


def snapshot_with_volume(cloud: Cloud) -> Root:
    name, disk = made_volume(cloud, VIRTIO)
    _, origin = made_volume(cloud, VIRTIO)
    named = entry("snapshot", cloud.snapshot(origin), volume_id=disk)
    return Root(name, format_2(named), volume=disk, origin=origin)


def volume_with_image(cloud: Cloud) -> Root:
    _, disk = made_volume(cloud, VIRTIO)
    name = cloud.image(**VIRTIO)
    named = entry("volume", disk, image_id=name)
    return Root(name, format_2(named), volume=disk)


def both_format_1(cloud: Cloud) -> Root:
    name, disk = made_volume(cloud, VIRTIO)
    _, origin = made_volume(cloud, VIRTIO)
    named = format_1(volume_id=disk, snapshot_id=cloud.snapshot(origin))
    return Root(name, named, volume=disk, origin=origin)


def foreign_keys_format_1(cloud: Cloud) -> Root:
    """Format 1 has no such keys; Nova's API v2 drops them."""
    name, disk = made_volume(cloud, VIRTIO)
    named = format_1(volume_id=disk, source_type="image", uuid=name)
    return Root(name, named, volume=disk, version="v2")
