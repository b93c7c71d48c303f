# SPDX-License-Identifier: Apache-2.0
"""Images, volumes and snapshots that a root device can be made of.

Each has metadata of its own, so that it shows which of them was read.
"""

from typing import Any

from tests.release.differential.cloud import Cloud
from tests.release.differential.values import (
    IMAGE,
    OTHER_IMAGE,
    ROOT_IMAGE,
    ROOT_VOLUME,
    SNAPSHOT,
    SNAPSHOT_VOLUME,
    VOLUME,
)

_ABSENT = "155d900f-0000-4e4c-a73d-000000000000"
_UNBOOTABLE = "3f1c6d3a-0000-4f0e-9d4e-000000000001"
_BARE = "3f1c6d3a-0000-4f0e-9d4e-000000000002"
ODD = "3f1c6d3a-0000-4f0e-9d4e-000000000004"
_LOST_SNAPSHOT = "3f1c6d3a-0000-4f0e-9d4e-000000000003"

IMAGES = (*(IMAGE, OTHER_IMAGE, ROOT_IMAGE) * 3, _ABSENT)
_BAD_VOLUMES = (_UNBOOTABLE, _BARE, ODD, _ABSENT)
VOLUMES = (*(VOLUME, ROOT_VOLUME, SNAPSHOT_VOLUME) * 3, *_BAD_VOLUMES)
SNAPSHOTS = (*(SNAPSHOT,) * 4, _LOST_SNAPSHOT, _ABSENT)


def _volume(name: str) -> dict[str, Any]:
    metadata = {"volume": name, "disk_format": "iso", "min_ram": "1"}
    return {"volume_image_metadata": metadata, "size": 1, "bootable": True}


CLOUD = Cloud(
    images={
        name: {"properties": {"image": name}, "disk_format": "iso"}
        for name in IMAGES[:-1]
    },
    volumes={
        **{name: _volume(name) for name in VOLUMES[:3]},
        _UNBOOTABLE: {**_volume(_UNBOOTABLE), "bootable": False},
        _BARE: {"size": 1},
        ODD: {"volume_image_metadata": {"min_ram": "much"}},
    },
    snapshots={
        SNAPSHOT: {"volume_id": SNAPSHOT_VOLUME},
        _LOST_SNAPSHOT: {"volume_id": _ABSENT},
    },
)
