# SPDX-License-Identifier: Apache-2.0
"""Servers as the APIs show them, read with few requests.

For 1,000 servers: one request for the servers, 20 for their ports, and one for
each distinct image and for each volume of a server that boots from one. In
addition, once: one for 1,000 hosts (to skip other hypervisors) and, if the
policy has exemptions by flavor, one for 1,000 flavors.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from openstack import utils

from nova_vhard.common.text import clean
from nova_vhard.osc.server.servers import Server, alone
from nova_vhard.osc.server.sources import Flavor, Found, Sources
from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.policy.model import Policy
from nova_vhard.request import image as image_reader
from nova_vhard.request import passthrough
from nova_vhard.request.compose import KEPT_CONFIG_DRIVE, with_specs

# From 2.98 on (2025.1) Nova shows the image metadata that it keeps.
_NEWEST = "2.98"
_ATTR = "OS-EXT-SRV-ATTR:"
_ATTACHED = "os-extended-volumes:volumes_attached"

_NEVER = (
    "Not checked, because Nova's API does not show them: block devices, apart "
    "from what the names of root disks reveal; roles and domains, which "
    "exemptions may name."
)

Shown = Mapping[str, Any]


class Facts:
    """Turns servers as Nova shows them into what can be judged.

    :ivar microversion: to ask Nova with; None for a Nova without any
    """

    def __init__(self, client: Any, policy: Policy) -> None:
        """Ask Nova for its microversions, and nothing else yet.

        :param client: ``nova_vhard.osc.plugin.Client``
        """
        self.microversion = utils.maximum_supported_microversion(
            client.compute, _NEWEST
        )
        self._sources = Sources(client, self.microversion)
        self._types = policy.hypervisor_types
        self._by_flavor = any(
            exemption.flavors for exemption in policy.exemptions
        )
        self._count: Counter[str] = Counter()

    def of_page(self, page: list[dict[str, Any]]) -> Iterator[Server]:
        """Yield the servers of a page that the policy is about."""
        judged = [item for item in page if not self._elsewhere(item)]
        ports = self._sources.ports([str(item["id"]) for item in judged])
        for item in judged:
            yield self._server(item, ports[str(item["id"])])

    def notes(self) -> list[str]:
        """Return what holds for the audit as a whole."""
        notes = [_NEVER]
        if self._count["not kept"]:
            notes.append(
                "This Nova does not show the image metadata that it "
                "keeps with a server (that began with microversion "
                "2.98, 2025.1): servers were judged by their images as "
                "they are today."
            )
        if self._count["elsewhere"]:
            notes.append(
                f"{self._count['elsewhere']} servers on hypervisors to "
                "which the policy does not apply were skipped."
            )
        return [*notes, *self._sources.notes]

    def _elsewhere(self, shown: Shown) -> bool:
        """Return whether a server is on a hypervisor of another type."""
        node = shown.get(f"{_ATTR}hypervisor_hostname")
        kind = self._sources.hypervisor_type(node) if node else None
        other = kind is not None and kind not in self._types
        self._count["elsewhere"] += other
        return other

    def _server(self, shown: Shown, ports: Found[list[Any]]) -> Server:
        flavor = self._flavor(shown.get("flavor") or {})
        unseen = list(ports.troubles)
        rest = HardwareRequest()
        if flavor.specs is None:
            unseen.append("the extra specs of its flavor")
        else:
            rest = with_specs(rest, flavor.specs)
        asked = list(rest.passthrough)
        for port in ports.value or ():
            if "binding:vnic_type" in port:
                asked += filter(None, [passthrough.of_port(port)])
            else:
                unseen.append(f"what kind port {clean(port.get('id'))} is of")
        server = Server(
            id=str(shown["id"]),
            name=str(shown.get("name") or ""),
            project=str(shown.get("tenant_id") or ""),
            host=str(shown.get(f"{_ATTR}host") or ""),
            flavor=flavor.name,
            flavor_id=flavor.id,
            rest=alone(replace(rest, passthrough=tuple(asked))),
            specs=flavor.specs or {},
            unseen=tuple(unseen),
        )
        image = shown.get("image")
        if isinstance(image, dict) and image.get("id"):
            return self._on_image(server, shown, image)
        return self._on_volume(server, shown)

    def _on_image(self, server: Server, shown: Shown, image: Shown) -> Server:
        """Add what the image says, as Nova keeps it and as it is today."""
        result = self._sources.image(str(image["id"]))
        now, kept = result.value, image.get("properties")
        had = None
        if isinstance(kept, dict):
            disk_format = now.disk_format if now else None
            had = _with_kept(image_reader.read(kept, disk_format), shown)
        else:
            self._count["not kept"] += 1
        name = shown.get(f"{_ATTR}root_device_name")
        return replace(
            server,
            image=str(image["id"]),
            had=had,
            now=_with_kept(now.hardware(), shown) if now else None,
            rebuilt_from=now,
            device_names=(str(name),) if name else (),
            unseen=(*server.unseen, *result.troubles),
        )

    def _on_volume(self, server: Server, shown: Shown) -> Server:
        """Add what the root volume says, and what the disks are called."""
        root = str(shown.get(f"{_ATTR}root_device_name") or "")
        attached = [str(item["id"]) for item in shown.get(_ATTACHED) or ()]
        result = [self._sources.volume(item) for item in attached]
        troubles = [text for item in result for text in item.troubles]
        volumes = [item.value for item in result if item.value is not None]
        names = {volume.devices.get(server.id) for volume in volumes} | {root}
        roots = [
            volume.image
            for volume in volumes
            if len(attached) == 1
            or root == (volume.devices.get(server.id) or "-")
        ]
        if len(roots) != 1:
            troubles = troubles or ["which of its volumes it boots from"]
            roots = []
        return replace(
            server,
            now=_with_kept(roots[0].hardware(), shown) if roots else None,
            rebuilt_from=roots[0] if roots else None,
            device_names=tuple(sorted(name for name in names if name)),
            unseen=(*server.unseen, *troubles),
        )

    def _flavor(self, shown: Shown) -> Flavor:
        name, known = shown.get("original_name"), shown.get("extra_specs")
        specs = known if isinstance(known, dict) else None
        flavor_id = shown.get("id")
        if flavor_id or specs is None or self._by_flavor:
            result = self._sources.flavor(name, flavor_id)
            if result is not None:
                return result if flavor_id else replace(result, specs=specs)
        return Flavor(flavor_id, name, specs)


def _with_kept(request: HardwareRequest, shown: Shown) -> HardwareRequest:
    """Add the config drive, which every rebuild makes again."""
    if str(shown.get("config_drive")).lower() != "true":
        return request
    return request.plus(devices=[KEPT_CONFIG_DRIVE])
