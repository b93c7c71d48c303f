# SPDX-License-Identifier: Apache-2.0
"""Which metadata a root device has, asked of Nova's own function.

``nova.block_device.get_bdm_image_metadata`` decides which of a snapshot, an
image and a volume counts. It is given facades of Glance and Cinder that look
up through the gate, and that keep what was read.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from nova import block_device
from nova.image import glance

from nova_vhard.gates import nova_volumes
from nova_vhard.policy.hardware import NOBODY, VOLUME, Holder
from nova_vhard.request.lookups import Body, Image


class RootLookups(Protocol):
    """What a root device may be made of."""

    def image(self, image_id: Any) -> Image:
        """Return an image."""

    def volume(self, volume_id: Any) -> dict[str, Any]:
        """Return a volume."""

    def volume_snapshot(self, snapshot_id: Any) -> dict[str, Any]:
        """Return a volume snapshot."""


class _Glance:
    """Glance, as Nova's function asks it."""

    def __init__(self, find: RootLookups) -> None:
        self._find = find
        self.image: Image | None = None

    def get(self, _context: Any, image_id: Any) -> dict[str, Any]:
        """Keep the image that is read; its properties are read elsewhere."""
        self.image = self._find.image(image_id)
        return {}


class _Cinder:
    """Cinder, as Nova's function asks it."""

    def __init__(self, find: RootLookups) -> None:
        self._find = find
        self.holder = NOBODY

    def get(self, _context: Any, volume_id: Any) -> dict[str, Any]:
        """Return a volume; keep whose it is, and what it was made of."""
        result = self._find.volume(volume_id)
        self.holder = Holder(
            str(volume_id),
            result.get("project_id"),
            made_of=nova_volumes.image_of(result),
        )
        return result

    def get_snapshot(self, _context: Any, snapshot_id: Any) -> dict[str, Any]:
        """Return a volume snapshot, as Nova's client does."""
        return self._find.volume_snapshot(snapshot_id)


def read(
    context: Any, find: RootLookups, devices: Iterable[Any], legacy: bool
) -> Image:
    """Return the metadata that Nova takes a guest's devices from.

    :param context: nova.context.RequestContext
    :param devices: in the shape that Nova passes: API dictionaries at a
        boot, a driver's devices in a rescue
    :param legacy: whether they are of format 1
    :raises nova.exception.NovaException: in place of what a look-up raises
    """
    glance, cinder = _Glance(find), _Cinder(find)
    result = block_device.get_bdm_image_metadata(
        context, glance, cinder, devices, legacy
    )
    if glance.image is not None:
        return glance.image
    properties = result.get("properties") or {}
    return Image(properties, result.get("disk_format"), VOLUME, cinder.holder)


#: Of a block device: what it is made of.
_CONTENT = (
    *("source_type", "destination_type"),
    *("image_id", "snapshot_id", "volume_id"),
)
#: Its blank disks are none that a guest boots from.
_FLAVOR = {"ephemeral_gb": 0, "swap": 0}
#: One that is made of what nobody can tell.
_UNKNOWN: Mapping[str, Any] = {"boot_index": 0}


def listed(server: Body) -> list[Any]:
    """Return the block devices of a POST /servers, in format 2.

    :raises Exception: what Nova itself raises of such that it cannot read
    """
    image_given = server.get("imageRef") not in (None, "")
    return [
        block_device.BlockDeviceDict.from_api(dict(entry), image_given)
        for entry in server.get("block_device_mapping_v2") or ()
    ]


def bootable(
    servers: Any, context: Any, server: Body, properties: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """Yield the disks of a new server that a guest may boot from.

    Not the disk that is the image's own. Each is the root device here, in the
    shape that ``read`` takes.

    :param servers: nova.compute.api.API
    :param context: nova.context.RequestContext
    :param server: ``server`` of POST /servers
    :param properties: of the image that Nova takes the devices from
    """
    try:
        devices = _devices(servers, context, server, properties)
    except Exception:  # noqa: BLE001 - Nova fails at it, in ways of its own
        yield _UNKNOWN
        return
    for device in devices:
        content = {name: device.get(name, None) for name in _CONTENT}
        index = device.get("boot_index", None)
        if index is not None and index >= 0 and _is_made_of(content):
            yield {**content, "boot_index": 0}


def _devices(
    servers: Any, context: Any, server: Body, properties: Mapping[str, Any]
) -> Iterable[Any]:
    """Return the block devices of a new server, as Nova's API makes them.

    :raises Exception: what Nova itself raises of such that it cannot read
    """
    image = glance._convert_from_string({"properties": dict(properties)})
    root = block_device.properties_root_device_name(image["properties"])
    base = {
        "image_ref": server.get("imageRef"),
        "root_device_name": block_device.prepend_dev(root),
    }
    legacy = server.get("block_device_mapping")
    mapping = (legacy, True) if legacy else (listed(server), False)
    devices: Iterable[Any] = servers._check_and_transform_bdm(
        context, base, _FLAVOR, image, 1, 1, *mapping
    )
    return devices


def _is_made_of(device: Mapping[str, Any]) -> bool:
    """Return whether a disk has content that is not the image's own."""
    if device["source_type"] == "image":
        return bool(device["destination_type"] != "local")
    return device["source_type"] in ("snapshot", "volume")
