# SPDX-License-Identifier: Apache-2.0
"""Resources of servers: images, volumes, ports, flavors, hypervisors.

Each is requested once; the last few thousand answers are cached, so that
memory does not grow with the cloud.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Mapping
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
    :ivar devices: pairs of server id and device name
    """

    image: Image
    devices: tuple[tuple[str, str], ...]

    def device_on(self, server: str) -> str | None:
        """Return the name that it was attached to a server by."""
        return dict(self.devices).get(server)


@dataclass(frozen=True)
class Flavor:
    """A flavor as it is today; specs is None where they are not shown."""

    id: str
    name: str
    specs: Mapping[str, str] | None


class Sources:
    """Looks up what servers refer to.

    :ivar notes: what could not be asked at all
    """

    def __init__(self, client: Any, microversion: str | None) -> None:
        self._client = client
        self._version = microversion
        self._images: OrderedDict[str, Found[Image]] = OrderedDict()
        self._volumes: OrderedDict[str, Found[Volume]] = OrderedDict()
        self._types: dict[str, str] | None = None
        self._flavors: dict[tuple[str, str], Flavor] | None = None
        self.notes: list[str] = []

    def image(self, image_id: str) -> Found[Image]:
        """Return an image as glanceclient shows it."""

        def ask() -> Image:
            """Ask Glance."""
            shown = dict(self._client.images.get(image_id))
            return Image(
                shown, shown.get("disk_format"), holder=Holder(image_id)
            )

        what = f"image {clean(image_id)}"
        return _once(self._images, image_id, ask, what)

    def volume(self, volume_id: str) -> Found[Volume]:
        """Return a volume as Cinder shows it."""

        def ask() -> Volume:
            """Ask Cinder."""
            proxy = self._client.block_storage
            shown = (
                paging.get(proxy, f"/volumes/{volume_id}").get("volume") or {}
            )
            properties = shown.get("volume_image_metadata") or {}
            attached = shown.get("attachments") or ()
            return Volume(
                Image(
                    *(properties, properties.get("disk_format"), VOLUME),
                    Holder(
                        shown.get("id"), made_of=properties.get("image_id")
                    ),
                ),
                tuple(
                    (str(item.get("server_id")), str(item.get("device") or ""))
                    for item in attached
                ),
            )

        what = f"volume {clean(volume_id)}"
        return _once(self._volumes, volume_id, ask, what)

    def ports(self, servers: list[str]) -> dict[str, Found[list[Any]]]:
        """Return the ports of servers, in few requests."""
        result: dict[str, Found[list[Any]]] = {}
        for start in range(0, len(servers), _IDS):
            ids = servers[start : start + _IDS]
            try:
                ports = defaultdict(list)
                params = [("device_id", id_) for id_ in ids]
                params += [
                    ("fields", name)
                    for name in ("id", "device_id", _VNIC_TYPE)
                ]
                proxy = self._client.network
                for page in paging.pages(proxy, "/ports", "ports", params):
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
                self._types = dict(self._hypervisors())
            except paging.ERRORS as error:
                self._types = {}
                self.notes.append(
                    "Types of hypervisors cannot be seen, so servers on all "
                    f"of them were judged: {clean(error, _TEXT)}"
                )
        return self._types.get(node)

    def _hypervisors(self) -> Iterator[tuple[str, str]]:
        path, key = "/os-hypervisors/detail", "hypervisors"
        params = [paging.LIMIT] if self._version else []
        for page in paging.pages(
            self._client.compute, path, key, params, self._version
        ):
            for item in page:
                kind = str(item.get("hypervisor_type")).lower()
                yield str(item.get("hypervisor_hostname")), kind

    def flavor(self, name: str | None, flavor_id: str | None) -> Flavor | None:
        """Return a flavor by its id, or by its name, None if it is gone."""
        if self._flavors is None:
            try:
                self._flavors = {
                    key: item
                    for item in self._all_flavors()
                    for key in (("name", item.name), ("id", item.id))
                }
            except paging.ERRORS as error:
                self._flavors = {}
                self.notes.append(
                    f"Flavors cannot be listed: {clean(error, _TEXT)}"
                )
        key = ("id", flavor_id) if flavor_id else ("name", name or "")
        return self._flavors.get(key)

    def _all_flavors(self) -> Iterator[Flavor]:
        params = [("is_public", "none"), paging.LIMIT]
        for page in paging.pages(
            self._client.compute,
            "/flavors/detail",
            "flavors",
            params,
            self._version,
        ):
            for item in page:
                specs = item.get("extra_specs")
                yield Flavor(str(item["id"]), str(item["name"]), specs)


def _once(
    kept: OrderedDict[str, Found[T]],
    key: str,
    ask: Callable[[], T],
    what: str,
) -> Found[T]:
    """Return what was found before, or ask; forget the oldest."""
    if key in kept:
        kept.move_to_end(key)
        return kept[key]
    try:
        result = Found(ask())
    except (*paging.ERRORS, *paging.GLANCE_ERRORS) as error:
        result = Found(trouble=f"{what} ({clean(error, _TEXT)})")
    kept[key] = result
    if len(kept) > _KEPT:
        kept.popitem(last=False)
    return result
