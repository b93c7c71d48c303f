# SPDX-License-Identifier: Apache-2.0
"""Resources of servers: images, volumes, ports, flavors, hypervisors.

Each is requested once; the last few thousand answers are cached, so that
memory does not grow with the cloud.
"""

import functools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from nova_vhard.common.text import clean
from nova_vhard.osc import paging
from nova_vhard.policy.hardware import VOLUME, Holder
from nova_vhard.request.lookups import Image

_KEPT = 4096
# Ids in one query: 2.4 KB, where a web server's limit may be 4 KB for all.
_IDS = 50
_TEXT = 120
_VNIC_TYPE = "binding:vnic_type"

T = TypeVar("T")


@dataclass(frozen=True)
class Found(Generic[T]):
    """A resource, or why it was not found.

    :ivar trouble: in words; None if it was found
    """

    value: T | None = None
    trouble: str | None = None

    @property
    def troubles(self) -> tuple[str, ...]:
        """The trouble, if there is one."""
        return (self.trouble,) if self.trouble else ()


@dataclass(frozen=True)
class Volume:
    """A volume.

    :ivar image: its image metadata
    :ivar devices: id of each server that it is attached to, to the name of
        the device there
    """

    image: Image
    devices: Mapping[str, str]


@dataclass(frozen=True)
class Flavor:
    """A flavor, as far as it can be seen."""

    id: str | None
    name: str | None
    specs: Mapping[str, str] | None


class Sources:
    """Looks up what servers refer to.

    :ivar notes: what could not be asked at all
    """

    def __init__(self, client: Any, microversion: str | None) -> None:
        self._client = client
        self._version = microversion
        self.image = functools.lru_cache(_KEPT)(self._image)
        self.volume = functools.lru_cache(_KEPT)(self._volume)
        self._types: dict[str, str] | None = None
        self._flavors: dict[tuple[str, str | None], Flavor] | None = None
        self.notes: list[str] = []

    def _image(self, image_id: str) -> Found[Image]:
        """Return an image as glanceclient shows it."""
        try:
            shown = dict(self._client.images.get(image_id))
            return Found(
                Image(shown, shown.get("disk_format"), holder=Holder(image_id))
            )
        except paging.GLANCE_ERRORS as error:
            what = f"image {clean(image_id)}"
            return Found(trouble=f"{what} ({clean(error, _TEXT)})")

    def _volume(self, volume_id: str) -> Found[Volume]:
        """Return a volume as Cinder shows it."""
        try:
            body = paging.get(
                self._client.block_storage, f"/volumes/{volume_id}"
            )
            shown = body.get("volume") or {}
            properties = shown.get("volume_image_metadata") or {}
            return Found(
                Volume(
                    Image(
                        *(properties, properties.get("disk_format"), VOLUME),
                        Holder(
                            shown.get("id"), made_of=properties.get("image_id")
                        ),
                    ),
                    {
                        str(item.get("server_id")): str(
                            item.get("device") or ""
                        )
                        for item in shown.get("attachments") or ()
                    },
                )
            )
        except (*paging.ERRORS, TypeError) as error:
            what = f"volume {clean(volume_id)}"
            return Found(trouble=f"{what} ({clean(error, _TEXT)})")

    def ports(self, servers: list[str]) -> dict[str, Found[list[Any]]]:
        """Return the ports of servers, in few requests."""
        result: dict[str, Found[list[Any]]] = {}
        for start in range(0, len(servers), _IDS):
            ids = servers[start : start + _IDS]
            try:
                ports = defaultdict(list)
                params = [
                    *(("device_id", id_) for id_ in ids),
                    *(("fields", name) for name in ("id", "device_id")),
                    ("fields", _VNIC_TYPE),
                ]
                for page in paging.pages(
                    self._client.network, "/ports", "ports", params
                ):
                    for port in page:
                        ports[str(port.get("device_id"))].append(port)
            except paging.ERRORS as error:
                text = f"its ports (Neutron: {clean(error, _TEXT)})"
                result |= dict.fromkeys(ids, Found(trouble=text))
                continue
            result |= {id_: Found(ports[id_]) for id_ in ids}
        return result

    def hypervisor_type(self, node: str) -> str | None:
        """Return the type of a node's hypervisor, None where not shown."""
        if self._types is None:
            try:
                self._types = {
                    str(item.get("hypervisor_hostname")): str(
                        item.get("hypervisor_type")
                    ).lower()
                    for page in paging.pages(
                        self._client.compute,
                        "/os-hypervisors/detail",
                        "hypervisors",
                        [paging.LIMIT] if self._version else [],
                        self._version,
                    )
                    for item in page
                }
            except paging.ERRORS as error:
                self._types = {}
                self.notes.append(
                    "Types of hypervisors cannot be seen, so servers on all "
                    f"of them were judged: {clean(error, _TEXT)}"
                )
        return self._types.get(node)

    def flavor(self, name: str | None, flavor_id: str | None) -> Flavor | None:
        """Return a flavor by its id, or by its name, None if it is gone."""
        if self._flavors is None:
            try:
                listed = [
                    Flavor(item["id"], item["name"], item.get("extra_specs"))
                    for page in paging.pages(
                        self._client.compute,
                        "/flavors/detail",
                        "flavors",
                        [("is_public", "none"), paging.LIMIT],
                        self._version,
                    )
                    for item in page
                ]
                self._flavors = {
                    key: item
                    for item in listed
                    for key in (("name", item.name), ("id", item.id))
                }
            except paging.ERRORS as error:
                self._flavors = {}
                self.notes.append(
                    f"Flavors cannot be listed: {clean(error, _TEXT)}"
                )
        key = ("id", flavor_id) if flavor_id else ("name", name or "")
        return self._flavors.get(key)
