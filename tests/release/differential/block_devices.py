# SPDX-License-Identifier: Apache-2.0
"""Generated block devices, as bodies and images have them (format 2)."""

from typing import Any

from hypothesis import strategies as some

from tests.release.differential.values import BUSES, IMAGE, VOLUME

_SOURCES = (
    {"source_type": "blank", "destination_type": "local"},
    {
        "source_type": "blank",
        "destination_type": "local",
        "guest_format": "swap",
        "volume_size": 1,
    },
    {"source_type": "blank", "destination_type": "volume", "volume_size": 1},
    {"source_type": "volume", "destination_type": "volume", "uuid": VOLUME},
)
ROOT = {
    "source_type": "image",
    "destination_type": "local",
    "uuid": IMAGE,
    "boot_index": 0,
}
_KINDS = (*(None,) * 6, *("disk",) * 4, *("cdrom",) * 6, "floppy", "lun")
_BUSES = (None, None, None, *BUSES, "xen", "lxc", "")


@some.composite
def _device(draw: Any, root: dict[str, Any] | None) -> dict[str, Any]:
    entry = dict(root or draw(some.sampled_from(_SOURCES)))
    entry.setdefault("boot_index", -1)
    kind = draw(some.sampled_from(_KINDS))
    bus = draw(some.sampled_from(_BUSES))
    if kind is not None and root is not ROOT:
        entry["device_type"] = kind
    if bus is not None:
        entry["disk_bus"] = bus
    return entry


@some.composite
def devices(
    draw: Any, root: dict[str, Any] = ROOT, most: int = 2
) -> list[dict[str, Any]]:
    """Give a root device, and some more."""
    more = draw(some.lists(_device(None), max_size=most))
    return [draw(_device(root)), *more]
