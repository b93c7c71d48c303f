# SPDX-License-Identifier: Apache-2.0
"""Bodies of requests to the Nova API, read as Nova reads them.

Pure functions: nothing is looked up here.
"""

from collections.abc import Mapping
from typing import Any

from nova.block_device import get_device_letter
from oslo_utils import strutils

from nova_vhard.policy.hardware import Wish
from nova_vhard.request import block_device
from nova_vhard.request.parts import CONFIG_DRIVE

Body = Mapping[str, Any]

_MAPPINGS = ("block_device_mapping_v2", "block_device_mapping")


def section(body: Any, name: str) -> dict[str, Any]:
    """Return an object of a body; an empty one for any other shape."""
    section = body.get(name) if isinstance(body, Mapping) else None
    return section if isinstance(section, dict) else {}


def devices(server: Body) -> list[Body]:
    """Return the block devices of both formats, in their order."""
    return [one for name in _MAPPINGS for one in mappings(server, name)]


def mappings(server: Body, name: str) -> list[Body]:
    """Return the block devices of a list; other shapes are Nova's to refuse.

    A list with one entry that is none is refused by Nova as a whole.
    """
    listed = server.get(name)
    if not isinstance(listed, list):
        return []
    return [one for one in listed if isinstance(one, dict)]


def is_root(entry: Body, server: Body) -> bool:
    """Tell whether Nova takes the guest's metadata from this device.

    As nova.block_device.get_bdm_image_metadata does, in either format.
    """
    if server.get("block_device_mapping_v2"):
        try:
            return int(entry.get("boot_index", -1)) == 0
        except (TypeError, ValueError):
            return False
    name = entry.get("device_name")
    return isinstance(name, str) and get_device_letter(name) == "a"


def source_of(entry: Body) -> tuple[str, Any]:
    """Return kind and id of what a device is made of, in either format."""
    kind = entry.get("source_type")
    if kind:
        return str(kind), entry.get("uuid") or entry.get(f"{kind}_id")
    if entry.get("snapshot_id"):
        return "snapshot", entry["snapshot_id"]
    return "volume", entry.get("volume_id")


def in_body(server: Body) -> tuple[list[Wish], list[tuple[str, str]]]:
    """Return wishes and devices that stand in the body itself."""
    wishes: list[Wish] = []
    reasons: list[tuple[str, str]] = []
    for name in _MAPPINGS:
        more, why = block_device.read(mappings(server, name), name)
        wishes += more
        reasons += why
    if strutils.bool_from_string(server.get("config_drive")):
        reasons.append(CONFIG_DRIVE)
    return wishes, reasons
