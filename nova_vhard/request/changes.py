# SPDX-License-Identifier: Apache-2.0
"""Reader of what is plugged into a server, or written to an image."""

from dataclasses import replace
from typing import Any

from nova_vhard.policy.hardware import STORED, DeviceChoice, HardwareRequest
from nova_vhard.policy.subject import ATTACH, UPDATE, subject_of
from nova_vhard.request import passthrough
from nova_vhard.request.lookups import Body, Lookups
from nova_vhard.request.nova_api import ServerReader, section
from nova_vhard.request.server_request import ServerRequest

# Nova names a disk on these buses sda, sdb, …, and plugs a later one in by
# its name alone: as scsi (get_disk_bus_for_disk_dev in blockinfo.py).
_NAMED_SD = frozenset(("sata", "usb"))
_PLUGGED_AS_SCSI = DeviceChoice(
    kind="disk_bus",
    value="scsi",
    source="a volume that is attached later",
    setting="hw_disk_bus",
    names=frozenset(("hw_disk_bus",)),
    holder=STORED,
)


class ChangeReader:
    """Reads attachments and writes of image metadata.

    :param find: what they refer to
    :param requester: who sends them, see ServerReader
    """

    def __init__(self, find: Lookups, requester: Any) -> None:
        self._find = find
        self._requester = requester
        self._servers = ServerReader(find, requester)

    def attach_interface(self, server_id: str, body: Body) -> ServerRequest:
        """Read POST os-interface: a network card, or a device of the host."""
        server = self._find.server(server_id)
        subject = self._servers.subject(ATTACH, server)
        port_id = section(body, "interfaceAttachment").get("port_id")
        asked = (
            None
            if port_id is None
            else passthrough.of_port(self._find.port(port_id))
        )
        if asked is not None:
            request = HardwareRequest(passthrough=(asked,), only=frozenset())
            return ServerRequest(request, subject, attached_to=server_id)
        only = frozenset(("vif_model",))
        return ServerRequest(replace(server.hardware, only=only), subject)

    def attach_volume(self, server_id: str, body: Body) -> ServerRequest:
        """Read POST os-volume_attachments: a disk on the bus of old."""
        server = self._find.server(server_id)
        request = server.hardware
        if any(
            choice.kind == "disk_bus" and choice.value in _NAMED_SD
            for choice in request.choices
        ):
            request = request.plus([_PLUGGED_AS_SCSI])
        only = frozenset(("disk_bus", "scsi_model"))
        return ServerRequest(
            replace(request, only=only), self._servers.subject(ATTACH, server)
        )

    def add_metadata(self, image_id: str, body: Body) -> ServerRequest:
        """Read POST, or PUT of one item, of an image's metadata."""
        change = section(body, "metadata") or section(body, "meta")
        return self._metadata(image_id, lambda old: {**old, **change}, change)

    def replace_metadata(self, image_id: str, body: Body) -> ServerRequest:
        """Read PUT of all metadata of an image: the rest is dropped."""
        new = section(body, "metadata")
        return self._metadata(image_id, lambda _old: new, new)

    def remove_metadata(self, image_id: str, name: str) -> ServerRequest:
        """Read DELETE of one item of an image's metadata."""
        return self._metadata(
            image_id,
            lambda old: {key: old[key] for key in old if key != name},
            (name,),
        )

    def _metadata(
        self, image_id: str, change: Any, names: Any
    ) -> ServerRequest:
        image = self._find.image(image_id)
        old = dict(image.properties)
        new = change(old)
        return ServerRequest(
            replace(image, properties=new).hardware(),
            subject_of(
                UPDATE,
                self._requester,
                image.holder.project,
                image.holder.id,
            ),
            before=image.hardware(),
            touched=frozenset(names) | (old.keys() - new.keys()),
        )
