# SPDX-License-Identifier: Apache-2.0
"""Reader of what is plugged into a server, or written to an image."""

from dataclasses import replace
from typing import Any

from nova_vhard.policy.hardware import (
    DISK,
    DOMAIN,
    NEW_DISK,
    NIC,
    Device,
    DeviceChoice,
    HardwareRequest,
)
from nova_vhard.policy.subject import ATTACH, UPDATE, subject_of
from nova_vhard.request import passthrough
from nova_vhard.request.kept_devices import with_new_disk
from nova_vhard.request.lookups import Body, Lookups
from nova_vhard.request.nova_api import ServerReader, section
from nova_vhard.request.server_request import ServerRequest, of_image


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
        # Without a port Nova creates one on the network, whose vnic type is
        # normal.
        port_id = section(body, "interfaceAttachment").get("port_id")
        port = None if port_id is None else self._find.port(port_id)
        asked = port and passthrough.of_port(port)
        # By the stored metadata, as nova-compute builds the card from
        # ``instance.image_meta``. No ``existing``: each card is a new one.
        request = replace(
            server.hardware,
            devices=(Device(NIC, "attached network card"),),
            passthrough=(asked,) if asked else (),
            only=frozenset(("vif_model",)),
        )
        # Nova's ``get_base_config`` gives every other port a card with the
        # model of the image, also one of macvtap, which is a device of the
        # host as well.
        if port and port["binding:vnic_type"] in passthrough.DIRECT_VNIC:
            request = HardwareRequest(
                passthrough=request.passthrough, only=frozenset()
            )
        # Nova claims a device on the server's own host. No scheduler looks at
        # that host, hence ``attached_to``.
        return ServerRequest(
            request, subject, attached_to=server_id if asked else None
        )

    def attach_volume(self, server_id: str, body: Body) -> ServerRequest:
        """Read POST os-volume_attachments: a disk on the server's disk bus.

        The disk is new. Its controller may already be in the server.
        """
        server = self._find.server(server_id)
        present = self._servers.existing(server)
        request = replace(
            # The API has no field for the bus: it comes from the stored
            # metadata (``_get_device_name_for_instance`` names the disk, the
            # name gives the bus).
            with_new_disk(present, server.hardware).plus(
                devices=[Device(DISK, NEW_DISK)]
            ),
            # The rest of the server is not part of this request.
            only=frozenset(("disk_bus", "scsi_model")),
        )
        return ServerRequest(
            request,
            self._servers.subject(ATTACH, server),
            existing=(present,),
        )

    def attach_share(self, server_id: str, body: Body) -> ServerRequest:
        """Read POST shares: a file system of the host, by virtiofs."""
        server = self._find.server(server_id)
        # Nothing that a user could set: it gets into the domain as it is.
        # Nova attaches each share by virtiofs
        # (``_guest_add_virtiofs_for_share``).
        choice = DeviceChoice(
            "file_system", "virtiofs", "share", origin=DOMAIN
        )
        return ServerRequest(
            HardwareRequest((choice,), only=frozenset(("file_system",))),
            self._servers.subject(ATTACH, server),
        )

    def add_metadata(self, image_id: str, body: Body) -> ServerRequest:
        """Read POST of an image's metadata: the rest stays."""
        change = section(body, "metadata")
        return self._metadata(image_id, lambda old: {**old, **change}, change)

    def set_metadata(self, image_id: str, body: Body) -> ServerRequest:
        """Read PUT of one item of an image's metadata."""
        # PUT of one item adds it if it is not there, as POST does.
        return self.add_metadata(image_id, {"metadata": body.get("meta")})

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
        holder = image.holder
        return of_image(
            replace(image, properties=new),
            subject_of(UPDATE, self._requester, holder.project, holder.id),
            image,
            # What PUT of all drops is touched as well: the removal of
            # hw_scsi_model is what makes libvirt choose the controller.
            frozenset(names) | (old.keys() - new.keys()),
        )
