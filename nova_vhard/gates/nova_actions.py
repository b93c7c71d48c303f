# SPDX-License-Identifier: Apache-2.0
"""What an action on a server asks for, as a case to be judged."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from nova.compute import vm_states

from nova_vhard.gates.nova_body import Body, section
from nova_vhard.gates.nova_case import (
    Case,
    server_subject,
    stored,
    stored_properties,
    with_flavor,
)
from nova_vhard.gates.nova_lookup import Lookups
from nova_vhard.policy.subject import (
    REBUILD,
    RESCUE,
    RESIZE,
    SNAPSHOT,
    UNSHELVE,
)
from nova_vhard.request import image as image_reader
from nova_vhard.request.parts import (
    DEVICES,
    KEPT_CONFIG_DRIVE,
    of_volume,
    read,
    rescue_devices,
)


class Actions:
    """Turns actions on servers into cases.

    :ivar judged: names of the actions, with what makes cases of them
    """

    def __init__(self, lookups: Lookups) -> None:
        """Keep the look-ups."""
        self._find = lookups
        self.judged: Mapping[str, Callable[[Any, Any, Body], Case | None]] = {
            "rebuild": self._rebuild,
            "rescue": self._rescue,
            "resize": self._resize,
            "unshelve": self._unshelve,
            "createImage": self._snapshot,
            "createBackup": self._snapshot,
        }

    def case(self, context: Any, server_id: str, body: Body) -> Case | None:
        """POST /servers/{id}/action: the one action that the body names."""
        if len(body) != 1:
            return None
        (name,) = body
        handler = self.judged.get(name)
        if handler is None:
            return None
        server = self._find.server(context, server_id)
        if server is None:
            return None
        return handler(context, server, section(body, name))

    def _rebuild(self, context: Any, server: Any, body: Body) -> Case | None:
        """Another image is judged by the scheduler too, the same is not.

        Nova writes the new image's properties over the old ones before it
        asks the scheduler, which then cannot know what the server had.
        """
        image = self._find.image(context, body.get("imageRef"))
        if image is None:
            return None
        case = self._anew(REBUILD, context, server, image)
        if image.get("id") == server.image_ref:
            return case
        return replace(case, scheduled=read(image))

    def _unshelve(self, context: Any, server: Any, body: Body) -> Case | None:
        """The guest is made of the snapshot's properties as they are now."""
        if server.vm_state != vm_states.SHELVED_OFFLOADED:
            return None
        snapshot = server.system_metadata.get("shelved_image_id")
        image = self._find.image(context, snapshot)
        if image is None:
            return None
        return self._anew(UNSHELVE, context, server, image)

    def _rescue(self, context: Any, server: Any, body: Body) -> Case | None:
        """The rescue image; for a stable device rescue the server's too."""
        named = body.get("rescue_image_ref")
        base = server.system_metadata.get("image_base_image_ref")
        wanted = named or base or server.image_ref
        image = self._find.image(context, wanted)
        if image is None:
            return None
        case = self._anew(RESCUE, context, server, image)
        request = case.request.plus(reasons=rescue_devices(image))
        properties = image.get("properties") or {}
        if "hw_rescue_bus" in properties or "hw_rescue_device" in properties:
            own = self._own_image(context, server)
            if own is not None:
                request = request.plus(read(own).wishes)
        return replace(case, request=request)

    def _own_image(self, context: Any, server: Any) -> dict[str, Any] | None:
        """Return what a server was made of, as it is now."""
        if server.image_ref:
            return self._find.image(context, server.image_ref)
        for device in self._find.devices(context, server):
            if device.boot_index == 0 and device.volume_id:
                return of_volume(self._find.volume(context, device.volume_id))
        return None

    def _anew(
        self, operation: str, context: Any, server: Any, image: Any
    ) -> Case:
        """Return the case of a server that an image is put onto."""
        subject = server_subject(operation, context, server)
        kept = self._kept_devices(context, server)
        return Case(
            read(image).plus(reasons=kept),
            replace(subject, image=image.get("id")),
            had=stored(server).plus(reasons=kept),
        )

    def _kept_devices(
        self, context: Any, server: Any
    ) -> list[tuple[str, str]]:
        """Return the CD-ROMs and floppies that a server keeps.

        Nova may or may not go on with the bus that it chose at first.
        """
        kept = []
        if server.config_drive:
            kept.append(KEPT_CONFIG_DRIVE)
        for device in self._find.devices(context, server):
            which = DEVICES.get(device.device_type)
            if which:
                kept.append((which, f"the server's {device.device_type}"))
        return kept

    def _resize(self, context: Any, server: Any, body: Body) -> Case | None:
        """What the new flavor asks for, and the present one does not."""
        flavor = self._find.flavor_of(context, body.get("flavorRef"))
        if flavor is None:
            return None
        now = stored(server)
        subject = server_subject(RESIZE, context, server)
        return Case(
            with_flavor(now, flavor),
            replace(subject, flavor=flavor.name, flavor_id=flavor.flavorid),
            had=with_flavor(now, server.flavor),
        )

    def _snapshot(self, context: Any, server: Any, body: Body) -> Case | None:
        """The image that is made: what the server has, and metadata."""
        change = section(body, "metadata")
        if not change:
            return None
        old = stored_properties(server)
        return Case(
            image_reader.read({**old, **change}),
            server_subject(SNAPSHOT, context, server),
            before=image_reader.read(old),
            touched=frozenset(change),
        )
