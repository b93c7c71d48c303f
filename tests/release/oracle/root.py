# SPDX-License-Identifier: Apache-2.0
"""Sources of a server's root disk, and their form in Nova's API."""

from dataclasses import dataclass, field
from typing import Any

from tests.release.oracle.cloud import Cloud

VIRTIO = {"hw_disk_bus": "virtio", "hw_vif_model": "virtio"}
SCSI = {**VIRTIO, "hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"}


@dataclass
class Root:
    """Source that a server is booted from.

    :ivar image: image from which the root disk is created in the end
    :ivar body: additional keys of the body of POST /servers
    :ivar volume: existing volume that becomes the root disk, if any
    :ivar origin: volume of the snapshot that is named
    :ivar version: API version that accepts this body
    """

    image: str
    body: dict[str, Any] = field(default_factory=dict)
    volume: str | None = None
    origin: str | None = None
    version: str = "v2.1"


def made_volume(cloud: Cloud, properties: dict[str, str]) -> tuple[str, str]:
    """Return an image and a volume created from it."""
    image = cloud.image(**properties)
    return image, cloud.volume(**cloud.metadata_of(image))


def entry(kind: str, uuid: str, **more: Any) -> dict[str, Any]:
    """Return the root device in format 2."""
    return {
        "boot_index": 0,
        "source_type": kind,
        "uuid": uuid,
        "destination_type": "volume",
        **more,
    }


def format_2(*entries: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a body that has these devices."""
    return {"block_device_mapping_v2": list(entries)}


def format_1(**entry: str) -> dict[str, Any]:
    """Return the part of a body that has a root device in format 1."""
    return {"block_device_mapping": [{"device_name": "vda", **entry}]}
