# SPDX-License-Identifier: Apache-2.0
"""What a server's root is made of, and the words of Nova's API for it."""

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
    :ivar version: of the API that takes this body
    """

    image: str
    body: dict[str, Any] = field(default_factory=dict)
    volume: str | None = None
    origin: str | None = None
    version: str = "v2.1"


def made_volume(cloud: Cloud, properties: dict[str, str]) -> tuple[str, str]:
    """Return an image and a volume made of it."""
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
