# SPDX-License-Identifier: Apache-2.0
"""Generated bodies of POST /servers that name what a root device is made of.

Keys of both formats, more of them than an entry needs.
"""

from typing import Any

from hypothesis import strategies as some

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

# Images, volumes and snapshots: each has metadata of its own, so that it shows
# which of them was read.
_ABSENT = "155d900f-0000-4e4c-a73d-000000000000"
_UNBOOTABLE = "3f1c6d3a-0000-4f0e-9d4e-000000000001"
_BARE = "3f1c6d3a-0000-4f0e-9d4e-000000000002"
_ODD = "3f1c6d3a-0000-4f0e-9d4e-000000000004"
_LOST_SNAPSHOT = "3f1c6d3a-0000-4f0e-9d4e-000000000003"

IMAGES = (*(IMAGE, OTHER_IMAGE, ROOT_IMAGE) * 3, _ABSENT)
_BAD_VOLUMES = (_UNBOOTABLE, _BARE, _ODD, _ABSENT)
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
        _ODD: {"volume_image_metadata": {"min_ram": "much"}},
    },
    snapshots={
        SNAPSHOT: {"volume_id": SNAPSHOT_VOLUME},
        _LOST_SNAPSHOT: {"volume_id": _ABSENT},
    },
)

_SOURCES = ("volume", "image", "snapshot", "blank")
_IDS = {"volume": VOLUMES, "image": IMAGES, "snapshot": SNAPSHOTS}
#: Every spelling that a client could try for the first in the boot order,
#: and some that are not it.
_FIRST = (
    *(0,) * 16,
    *("0",) * 4,
    "00",
    "-0",
    0.0,
    -0.0,
    False,
    " 0",
    "0 ",
    "0.0",
    "",
)
_INDEXES = (
    *_FIRST,
    None,
    -1,
    "-1",
    1,
    "1",
    True,
    1e999,
    float("nan"),
    "\u0660",
)
_NAMES = (
    *("vda", "/dev/vda", "xvda", "sda1") * 3,
    "vdb",
    "vdaa",
    "a",
    "",
    "vd a",
)
_NO_DEVICE = (True, "true", False, "", 0, None, {}, "no")

_ids = some.sampled_from((*IMAGES, *VOLUMES, *SNAPSHOTS, "", None))


@some.composite
def _second_keys(draw: Any, entry: dict[str, Any]) -> None:
    """Let an entry name more than what it is made of."""
    for name, values in _IDS.items():
        if draw(some.integers(0, 3)) == 0:
            odd = draw(some.integers(0, 9)) == 0
            entry[f"{name}_id"] = draw(
                _ids if odd else some.sampled_from(values)
            )


@some.composite
def _of_today(draw: Any) -> dict[str, Any]:
    """Give an entry of format 2."""
    source = draw(some.sampled_from(_SOURCES))
    entry: dict[str, Any] = {"source_type": source}
    if source in _IDS and draw(some.integers(0, 9)):
        entry["uuid"] = draw(some.sampled_from(_IDS[source]))
    if draw(some.integers(0, 9)):
        entry["destination_type"] = draw(
            some.sampled_from(("volume", "volume", "volume", "local"))
        )
    if draw(some.integers(0, 5)):
        entry["boot_index"] = draw(some.sampled_from(_INDEXES))
    draw(_second_keys(entry))
    if draw(some.integers(0, 15)) == 0:
        entry["volume_size"] = draw(some.sampled_from((1, "1", "x")))
    return draw(_odd(entry))  # type: ignore[no-any-return]


@some.composite
def _legacy(draw: Any) -> dict[str, Any]:
    """Give an entry of format 1."""
    entry: dict[str, Any] = {"device_name": draw(some.sampled_from(_NAMES))}
    draw(_second_keys(entry))
    return draw(_odd(entry))  # type: ignore[no-any-return]


#: Keys that belong to the other format, and their values.
_ODD_KEYS: dict[str, Any] = {
    "no_device": some.sampled_from(_NO_DEVICE),
    "device_name": some.sampled_from(_NAMES),
    "boot_index": some.sampled_from(_INDEXES),
    "uuid": _ids,
}


@some.composite
def _odd(draw: Any, entry: dict[str, Any]) -> dict[str, Any]:
    """Leave something away, or put in what belongs to the other format."""
    key = draw(some.sampled_from((*_ODD_KEYS, "", *(None,) * 15)))
    if key:
        entry[key] = draw(_ODD_KEYS[key])
    elif key == "":
        entry.pop(draw(some.sampled_from(sorted(entry))))
    return entry


@some.composite
def bodies(draw: Any) -> dict[str, Any]:
    """Give the body of a boot."""
    server: dict[str, Any] = {"name": "server", "flavorRef": "1"}
    formats = draw(some.integers(0, 11))
    if formats > 5 or formats < 1:
        server["block_device_mapping_v2"] = draw(
            some.lists(_of_today(), max_size=3)
        )
    if formats < 6:
        server["block_device_mapping"] = draw(
            some.lists(_legacy(), max_size=3)
        )
    if draw(some.integers(0, 5)) == 0:
        server["imageRef"] = draw(some.sampled_from((*IMAGES, "", None)))
    return {"server": server}
