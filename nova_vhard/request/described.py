# SPDX-License-Identifier: Apache-2.0
"""A described request, judged without a cloud.

The readers of the gates read it. What they look up in Nova, Glance, Cinder or
Neutron is in the description.
"""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType, SimpleNamespace
from typing import Any

from nova_vhard.catalogue.passthrough import ONE_TIME_USE
from nova_vhard.policy.hardware import (
    IMAGE,
    STORED,
    VOLUME,
    HardwareRequest,
    Holder,
)
from nova_vhard.policy.hosts import host_requirements, one_time_use
from nova_vhard.policy.model import Mode, Policy
from nova_vhard.policy.subject import (
    BOOT,
    MOVE,
    REBUILD,
    RESCUE,
    RESIZE,
    UPLOAD,
    subject_of,
)
from nova_vhard.request import compose, passthrough
from nova_vhard.request.lookups import Flavor, Image, KeptDevice, Server
from nova_vhard.request.nova_api import ServerReader
from nova_vhard.request.server_request import ServerRequest, of_image

#: What is looked at in each operation, beyond who asks. Of the flavor of a
#: rescue only the name and id count, by which exemptions are chosen.
LOOKED_AT: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        # A closed list: a misspelled key in a description would otherwise be
        # ignored, and the answer of an offline command would be wrong.
        BOOT: frozenset(
            (
                "image",
                "volume",
                "flavor",
                "block_devices",
                "ports",
                "config_drive",
            )
        ),
        UPLOAD: frozenset(("image",)),
        MOVE: frozenset(("image", "volume", "flavor", "ports")),
        REBUILD: frozenset(("image", "flavor", "server")),
        RESCUE: frozenset(("image", "flavor", "server")),
        RESIZE: frozenset(("flavor", "server")),
    }
)

#: Operations in which a host is chosen.
#: A rebuild and a rescue stay on the host of the server.
_PLACED = frozenset((BOOT, MOVE, RESIZE))

#: Stands for the ID of the server's own image, which is not described.
OWN_IMAGE = "SERVERS_IMAGE"

#: Whatever is named here, the description has one of.
_SERVER = "the server"
_NOTHING: Mapping[str, Any] = {}
_RESCUE = {"rescue": {"rescue_image_ref": "the image"}}

Data = Mapping[str, Any]


class Description:
    """Answers nova_vhard.request.lookups.Lookups from a description.

    :param data: keys of ``LOOKED_AT`` for its operation, and ``operation``,
        ``project``, ``domain``, ``roles``; all but the first may be missing
    """

    def __init__(self, data: Data) -> None:
        self._data = data

    def body(self, body: Data) -> Data:
        """Return the body of a boot unchanged."""
        return body

    def boot_image(self, server: Data) -> Image:
        """Return the image, or a root volume's metadata."""
        if "volume" in self._data:
            properties = self._data["volume"].get("properties", {})
            # Not the volume's own id, which a description does not have.
            # Exemptions by image apply to the image that it was made of.
            holder = Holder(made_of=properties.get("image_id"))
            return Image(properties, origin=VOLUME, holder=holder)
        return self.image(None)

    def image(self, image_id: Any) -> Image:
        """Return the image."""
        image = self._data.get("image", {})
        return Image(
            image.get("properties", {}),
            image.get("disk_format"),
            holder=Holder(image.get("id"), self._data.get("project")),
        )

    def boot_flavor(self, reference: Any) -> Flavor:
        """Return the flavor."""
        return self.flavor()

    def flavor(self, flavor_id: str = "") -> Flavor:
        """Return the flavor, whatever its ID is."""
        flavor = self._data.get("flavor", {})
        specs = flavor.get("extra_specs", {})
        return Flavor(flavor.get("name"), flavor.get("id"), specs)

    def port(self, port_id: Any) -> Mapping[str, Any]:
        """Return a port by its number."""
        port = self._data["ports"][port_id]
        # In the shape that Neutron has, so that the gate's reader reads it.
        known = {"vnic_type": port} if isinstance(port, str) else port
        name = known.get("id", "PORT")
        return {"binding:vnic_type": known["vnic_type"], "id": name}

    def server(self, server_id: str) -> Server:
        """Return the server, whose own image is not described."""
        server = self._data.get("server", {})
        same = self._data["operation"] == REBUILD and server.get("same_image")
        flavor = replace(
            self.flavor(), extra_specs=server.get("extra_specs", {})
        )
        return Server(
            id=server.get("id", ""),
            project=self._data.get("project"),
            # Any text that is not the described image makes it a rebuild with
            # another one.
            image=self.image(None).holder.id if same else "its own image",
            flavor=flavor,
            hardware=compose.read(server, STORED),
            properties=server.get("properties", {}),
            config_drive=bool(server.get("config_drive")),
        )

    def kept_devices(self, server: Server) -> list[KeptDevice]:
        """Return the root disk, on the bus that Nova gave it at the boot."""
        if self._data.get("server", {}).get("disk_format") == "iso":
            bus = server.properties.get("hw_cdrom_bus")
            # without a bus that of its kind, as at the boot
            return [KeptDevice(bus, "cdrom", named=True, root=True)]
        buses = [
            choice.value
            for choice in server.hardware.explicit("disk_bus")
            if "hw_disk_bus" in choice.names
        ]
        # Nova has recorded the root disk's bus at the boot: virtio, unless
        # libosinfo may have chosen another one, which is unknown here.
        by_distro = server.hardware.os_distro is not None
        default = None if by_distro else "virtio"
        return [KeptDevice(buses[0] if buses else default, root=True)]

    def recorded_image(self, server: Server) -> Image:
        """Return what the server was made of."""
        return server.stored()

    def own_image(self, server: Server) -> Image:
        """Return the server's own image, which is as it was at the boot."""
        described = self._data.get("server", {})
        return Image(
            server.properties,
            described.get("disk_format"),
            described.get("origin", IMAGE),
            Holder(OWN_IMAGE, self._data.get("project")),
        )


def host_checks(
    request: ServerRequest, policy: Policy, today: datetime.date
) -> frozenset[str]:
    """Return the checks that a host, or its devices, must have passed.

    :param today: the day (UTC) by which exemptions are judged
    """
    subject, hardware = request.subject, request.hardware
    if subject.operation not in _PLACED:
        return frozenset()
    # As the scheduler's gate does: for the hosts a resize is a move.
    if subject.operation == RESIZE:
        subject = replace(subject, operation=MOVE)
    result = host_requirements(policy, hardware, subject, today)
    checks = frozenset[str]().union(
        *(
            requirement.checks
            for requirement in result
            # The weaker modes keep no host away.
            if requirement.mode is Mode.ENFORCE
        )
    )
    mode = one_time_use(policy, hardware, subject, today)
    return checks | {ONE_TIME_USE} if mode is Mode.ENFORCE else checks


def read(
    data: Data, edited: Callable[[Any], Any] = lambda find: find
) -> ServerRequest:
    """Read a described request, see Description, as the gates read it.

    :param edited: returns the lookups with edited documents
    """
    find = edited(Description(data))
    requester = SimpleNamespace(
        project_id=data.get("project"),
        project_domain_id=data.get("domain"),
        roles=data.get("roles"),
    )
    return _READERS[data["operation"]](find, requester, data)


def _boot(find: Description, requester: Any, data: Data) -> ServerRequest:
    ports = range(len(data.get("ports", ())))
    server = {
        "block_device_mapping_v2": data.get("block_devices"),
        "config_drive": data.get("config_drive"),
        "networks": [{"port": number} for number in ports],
    }
    # The gate's own reader: what a command says must be what a gate does.
    request = ServerReader(find, requester).boot(find.body({"server": server}))
    return _demanding(request, find)


def _upload(find: Description, requester: Any, _data: Data) -> ServerRequest:
    image = find.image(None)
    subject = subject_of(UPLOAD, requester, None, image.holder.id)
    return of_image(image, subject)


def _move(find: Description, requester: Any, data: Data) -> ServerRequest:
    """Read a move: the server has everything already."""
    request = _boot(find, requester, data)
    subject = replace(request.subject, operation=MOVE)
    # Everything is there already, so only ``moves`` decides about it.
    return replace(request, subject=subject, existing=(request.hardware,))


def _rebuild(find: Description, requester: Any, data: Data) -> ServerRequest:
    """Read a rebuild; the scheduler judges the flavor, which stays."""
    request = ServerReader(find, requester).rebuild(_SERVER, _NOTHING)
    empty = HardwareRequest(devices=())
    flavor = compose.with_specs(empty, find.flavor().extra_specs)
    kinds = frozenset(choice.kind for choice in flavor.choices)
    # Without a described server nothing is known to be there, and nothing is
    # excused.
    existing = request.existing if "server" in data else ()
    return replace(
        request,
        hardware=compose.with_specs(
            request.hardware, find.flavor().extra_specs
        ),
        existing=(*existing, replace(flavor, only=kinds)),
    )


def _rescue(find: Description, requester: Any, data: Data) -> ServerRequest:
    request = ServerReader(find, requester).rescue(_SERVER, _RESCUE)
    return request if "server" in data else replace(request, existing=())


def _resize(find: Description, requester: Any, _data: Data) -> ServerRequest:
    request = ServerReader(find, requester).resize(_SERVER, _NOTHING)
    return _demanding(request, find)


def _demanding(request: ServerRequest, find: Description) -> ServerRequest:
    """Return a request with the checks that its flavor demands."""
    checks = passthrough.host_checks(find.flavor().extra_specs)
    hardware = replace(request.hardware, host_checks=checks)
    return replace(request, hardware=hardware)


_READERS = {
    BOOT: _boot,
    UPLOAD: _upload,
    MOVE: _move,
    REBUILD: _rebuild,
    RESCUE: _rescue,
    RESIZE: _resize,
}
