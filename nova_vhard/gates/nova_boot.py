# SPDX-License-Identifier: Apache-2.0
"""What POST /servers asks for, as a case to be judged."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nova_vhard.gates import nova_body
from nova_vhard.gates.nova_body import Body
from nova_vhard.gates.nova_case import Case, subject_of, with_flavor
from nova_vhard.gates.nova_lookup import LookupFailed, Lookups
from nova_vhard.log import get_logger
from nova_vhard.policy.hardware import HardwareRequest, Passthrough
from nova_vhard.policy.subject import BOOT
from nova_vhard.request import passthrough
from nova_vhard.request.parts import of_volume, read

LOG = get_logger(__name__)


class Boot:
    """Turns a POST /servers into a case.

    A look-up that fails is left to the scheduler's gate; what stands in the
    body itself is judged all the same.
    """

    def __init__(self, lookups: Lookups) -> None:
        """Keep the look-ups."""
        self._find = lookups

    def case(self, context: Any, body: Body) -> Case | None:
        """Return everything that the body asks for."""
        server = nova_body.section(body, "server")
        if not server:
            return None
        image = self._or_none(lambda: self._boot_image(context, server))
        flavor = self._or_none(
            lambda: self._find.flavor_of(context, server.get("flavorRef"))
        )
        ports = self._ports(context, server)
        request = read(image) if image else HardwareRequest()
        request = with_flavor(request, flavor).plus(*nova_body.in_body(server))
        asked = (*request.passthrough, *ports)
        request = replace(request, passthrough=asked)
        subject = subject_of(BOOT, context, context.project_id, image, flavor)
        return Case(request, subject)

    def _boot_image(self, context: Any, server: Body) -> dict[str, Any] | None:
        """Return the image, or the volume image metadata, of the root."""
        if server.get("imageRef"):
            return self._find.image(context, server["imageRef"])
        for entry in nova_body.devices(server):
            if not nova_body.is_root(entry, server):
                continue
            kind, uuid = nova_body.source_of(entry)
            if kind == "image":
                return self._find.image(context, uuid)
            if kind == "volume":
                return of_volume(self._find.volume(context, uuid))
            if kind == "snapshot":
                return of_volume(self._find.volume_of_snapshot(context, uuid))
        return None

    def _ports(self, context: Any, server: Body) -> list[Passthrough]:
        found = []
        networks = server.get("networks")
        for entry in networks if isinstance(networks, list) else ():
            port_id = entry.get("port") if isinstance(entry, dict) else None
            port = self._or_none(
                lambda port_id=port_id: self._find.port(context, port_id)  # type: ignore[misc]
            )
            asked = passthrough.of_port(port) if port else None
            if asked is not None:
                found.append(asked)
        return found

    @staticmethod
    def _or_none(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except LookupFailed as error:
            LOG.warning("Left to the scheduler's gate: %s", error)
            return None
