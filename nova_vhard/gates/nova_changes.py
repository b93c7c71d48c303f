# SPDX-License-Identifier: Apache-2.0
"""What is plugged into a server, or written to an image, through Nova."""

from dataclasses import replace
from typing import Any

from nova_vhard.gates.nova_body import Body, section
from nova_vhard.gates.nova_case import Case, server_subject, stored, subject_of
from nova_vhard.gates.nova_lookup import Lookups
from nova_vhard.policy.hardware import BLOCK_DEVICE, HardwareRequest, Wish
from nova_vhard.policy.subject import ATTACH, UPDATE
from nova_vhard.request import image as image_reader
from nova_vhard.request import passthrough

# Nova names a disk on these buses sda, sdb, …, and plugs a later one in by
# its name alone: as scsi (get_disk_bus_for_disk_dev in blockinfo.py).
_NAMED_SD = frozenset(("sata", "usb"))
_PLUGGED_AS_SCSI = Wish(
    kind="disk_bus",
    value="scsi",
    source="a volume that is attached later",
    setting="a volume that is attached later",
    origin=BLOCK_DEVICE,
)


class Changes:
    """Turns attachments and image metadata into cases."""

    def __init__(self, lookups: Lookups) -> None:
        """Keep the look-ups."""
        self._find = lookups

    def attach_interface(
        self, context: Any, server_id: str, body: Body
    ) -> Case | None:
        """POST /servers/{id}/os-interface: a card, or a device of the host."""
        server = self._find.server(context, server_id)
        if server is None:
            return None
        port_id = section(body, "interfaceAttachment").get("port_id")
        port = self._find.port(context, port_id) if port_id else None
        asked = passthrough.of_port(port) if port else None
        subject = server_subject(ATTACH, context, server)
        if asked is not None:
            request = HardwareRequest(passthrough=(asked,), only=frozenset())
            return Case(request, subject, server=server)
        only = frozenset(("vif_model",))
        return Case(replace(stored(server), only=only), subject)

    def attach_volume(
        self, context: Any, server_id: str, body: Body
    ) -> Case | None:
        """POST /servers/{id}/os-volume_attachments: a disk on the old bus."""
        server = self._find.server(context, server_id)
        if server is None:
            return None
        request = stored(server)
        if any(
            wish.kind == "disk_bus" and wish.value in _NAMED_SD
            for wish in request.wishes
        ):
            request = request.plus([_PLUGGED_AS_SCSI])
        only = frozenset(("disk_bus", "scsi_model"))
        return Case(
            replace(request, only=only),
            server_subject(ATTACH, context, server),
        )

    def image_metadata(
        self, context: Any, image_id: str, method: str, body: Body
    ) -> Case | None:
        """Nova's image metadata proxy (to microversion 2.38)."""
        change = section(body, "metadata") or section(body, "meta")
        image = self._find.image(context, image_id) if change else None
        if image is None:
            return None
        old = dict(image.get("properties") or {})
        whole = method == "PUT" and "metadata" in body
        new = {**({} if whole else old), **change}
        touched = frozenset(change) | (old.keys() - new.keys())
        owner = image.get("owner") or context.project_id
        return Case(
            image_reader.read(new, image.get("disk_format")),
            subject_of(UPDATE, context, owner, image),
            before=image_reader.read(old, image.get("disk_format")),
            touched=touched,
        )
