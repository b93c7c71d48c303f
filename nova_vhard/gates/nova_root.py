# SPDX-License-Identifier: Apache-2.0
"""Metadata of a root device, read by Nova's own function.

``nova.block_device.get_bdm_image_metadata`` decides which of a snapshot, an
image and a volume counts. It gets facades of Glance and Cinder that look up
through the gate, and that keep what was read.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nova import block_device

from nova_vhard.gates import nova_volumes
from nova_vhard.policy.hardware import NOBODY, VOLUME, Holder
from nova_vhard.request.lookups import Body, Image

if TYPE_CHECKING:
    from nova_vhard.gates.nova_lookup import NovaLookups


class _Glance:
    """Glance, as Nova's function asks it."""

    def __init__(self, find: "NovaLookups") -> None:
        self._find = find
        self.image: Image | None = None

    def get(self, _context: Any, image_id: Any) -> dict[str, Any]:
        """Keep the image that is read; its properties are read elsewhere."""
        # Nova's function turns every exception of this call into
        # InvalidBDMImage. NovaLookups remembers the first error, and ``_root``
        # raises that.
        self.image = self._find.image(image_id)
        return {}


class _Cinder:
    """Cinder, as Nova's function asks it."""

    def __init__(self, find: "NovaLookups") -> None:
        self._find = find
        self.holder = NOBODY

    def get(self, _context: Any, volume_id: Any) -> dict[str, Any]:
        """Return a volume, and keep its owner and its source image."""
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
    context: Any, find: "NovaLookups", devices: Iterable[Any], legacy: bool
) -> Image:
    """Return the metadata from which Nova chooses a guest's devices.

    :param context: nova.context.RequestContext
    :param devices: as Nova passes them: API dictionaries for a boot, the
        driver's devices for a rescue
    :param legacy: True for the legacy format (block_device_mapping)
    :raises nova.exception.NovaException: for a device that Nova rejects, and
        in place of the error of a look-up; the error of a volume snapshot is
        not replaced
    """
    glance, cinder = _Glance(find), _Cinder(find)
    # Do not read ``source_type`` here instead: Nova looks at which of the ids
    # is set, and a blank device may carry one (bypass 30).
    result = block_device.get_bdm_image_metadata(
        context, glance, cinder, devices, legacy
    )
    if glance.image is not None:
        return glance.image
    # Empty too where no device has boot index 0. Such a server has only the
    # defaults, which are judged all the same.
    properties = result.get("properties") or {}
    return Image(properties, result.get("disk_format"), VOLUME, cinder.holder)


def listed(server: Body) -> list[Any]:
    """Return the block devices of a POST /servers without an image.

    :returns: a BlockDeviceDict for each
    :raises Exception: as Nova itself, for a device that it cannot read
    """
    return [
        # A copy: from_api takes ``uuid`` out of the dictionary, and the body
        # is read again in the search for a fix.
        block_device.BlockDeviceDict.from_api(dict(entry), False)
        for entry in server.get("block_device_mapping_v2") or ()
    ]
