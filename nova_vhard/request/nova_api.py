# SPDX-License-Identifier: Apache-2.0
"""Reader of requests to Nova's API that concern a server.

It is given what Nova's own schema leaves of a body, and follows Nova's order
from there; what a request refers to is looked up through ``Lookups``.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import takewhile
from typing import Any

from oslo_utils import strutils

from nova_vhard.common.log import get_logger
from nova_vhard.policy.hardware import (
    VOLUME,
    Device,
    DeviceChoice,
    HardwareRequest,
)
from nova_vhard.policy.subject import (
    BOOT,
    REBUILD,
    RESCUE,
    RESIZE,
    SNAPSHOT,
    UNSHELVE,
    Subject,
    subject_of,
)
from nova_vhard.request import block_device, passthrough
from nova_vhard.request import rescue as rescues
from nova_vhard.request.compose import (
    WANTED_CONFIG_DRIVE,
    with_present_flavor,
    with_specs,
)
from nova_vhard.request.kept_devices import with_kept, with_new_disk
from nova_vhard.request.lookups import (
    Body,
    Image,
    LookupFailed,
    Lookups,
    NotFound,
    Server,
)
from nova_vhard.request.server_request import ServerRequest, of_image

LOG = get_logger(__name__)

#: Objects of other services that a boot may name to get an early answer. To
#: look them up costs a tenant nothing.
EARLY = 8

_MAPPINGS = ("block_device_mapping_v2", "block_device_mapping")


def section(body: Any, name: str) -> dict[str, Any]:
    """Return an object of a body; an empty one for any other shape."""
    # Nova before 34 does not show its schemas (nova_schemas.py), so that a
    # body of any shape can get here. Nova answers it with a 400 of its own.
    result = body.get(name) if isinstance(body, Mapping) else None
    return result if isinstance(result, dict) else {}


class ServerReader:
    """Reads requests about servers.

    :param find: what they refer to
    :param requester: who sends them: ``project_id``, ``project_domain_id``
        and ``roles``
    """

    def __init__(self, find: Lookups, requester: Any) -> None:
        self._find = find
        self._requester = requester

    def subject(
        self, operation: str, server: Server, image: Image | None = None
    ) -> Subject:
        """Return who asks for something about a server."""
        subject = subject_of(
            operation,
            self._requester,
            server.project,
            image.holder.id if image else server.image,
            server.flavor,
        )
        return replace(subject, server=server.id)

    def boot(self, body: Body) -> ServerRequest:
        """Read POST /servers, to refuse it before a server is created.

        A courtesy to the user: the scheduler's gate judges what Nova has
        stored about the server, unless an administrator forces it onto a host.

        :raises NotFound: if an object is not found and the body itself has no
            device choice; also if a service does not answer, or for more than
            EARLY objects
        """
        server = section(body, "server")
        # Before any look-up: these need none.
        choices, devices = in_body(server)
        # ``networks`` may be the word auto or none.
        networks = server.get("networks")
        entries = networks if isinstance(networks, list) else ()
        ids = (each.get("port") for each in entries if isinstance(each, dict))
        ports = [each for each in ids if each is not None]
        listed = map(server.get, _MAPPINGS)
        disks = sum(len(each) for each in listed if isinstance(each, list))
        # An imageRef wins over every block device.
        if server.get("imageRef"):
            disks = 1
        if len(ports) + disks > EARLY:
            raise NotFound(f"more than {EARLY} objects of other services")
        try:
            # One ``try`` for all look-ups: NovaLookups makes no more after the
            # first that fails.
            flavor = self._find.boot_flavor(server.get("flavorRef"))
            image = self._find.boot_image(server)
            # Nova refuses a port in use, and looks at no other.
            shown = takewhile(
                lambda port: not port.get("device_id"),
                map(self._find.port, ports),
            )
            devices_of_ports = [passthrough.of_port(port) for port in shown]
        except LookupFailed as error:
            LOG.warning("Left to the scheduler's gate: %s", error)
            raise NotFound from error
        except NotFound:
            if not choices:
                raise
            # Nova would refuse the request, but the gate does it first: by
            # its answer, nova-vhard-status probe detects the gate.
            kinds = frozenset(choice.kind for choice in choices)
            alone = HardwareRequest(tuple(choices), devices=(), only=kinds)
            return ServerRequest(
                alone, subject_of(BOOT, self._requester, None)
            )
        request = with_specs(image.hardware(), flavor.extra_specs)
        request = request.plus(choices, devices)
        request = replace(
            request,
            passthrough=(
                *request.passthrough,
                *filter(None, devices_of_ports),
            ),
        )
        holder = image.holder
        # Nova keeps no image id for a volume; Cinder keeps that of its source.
        named = holder.made_of if image.origin == VOLUME else holder.id
        subject = subject_of(BOOT, self._requester, None, named, flavor)
        return ServerRequest(request, subject)

    def rebuild(self, server_id: str, body: Body) -> ServerRequest:
        """Read the action ``rebuild``.

        Another image is judged by the scheduler too, the same one is not.
        Nova writes the new image's properties over the old ones before it
        asks the scheduler, which then cannot know what the server had.
        """
        server = self._find.server(server_id)
        # No default: Nova's schema requires it, and NovaLookups takes None for
        # not found.
        reference = section(body, "rebuild").get("imageRef")
        image = self._find.image(reference)
        request = self._anew(REBUILD, server, image)
        own = server.image
        if own is None and (root := self._find.own_image(server)):
            # As Nova, by the image that the root volume was made from.
            own = root.holder.made_of
        # Compare as Nova does (``rebuild`` of compute.API), since this decides
        # whether the scheduler is asked.
        if image.holder.id == own:
            return request
        return replace(request, scheduled=image.hardware())

    def unshelve(self, server_id: str, body: Body) -> ServerRequest | None:
        """Read the action ``unshelve``.

        The guest is made of the snapshot's properties as they are now, which
        no scheduler sees. A volume-backed server has no snapshot. Whether a
        server is offloaded yet Nova looks for itself, later.
        """
        server = self._find.server(server_id)
        # Conductor then builds it from its volumes and the stored metadata.
        if not server.shelved_image:
            return None
        try:
            image = self._find.image(server.shelved_image)
        except NotFound:
            if not server.offloaded:
                # It is on its host, and goes on there.
                return None
            source = "stored image property shelved_image_id"
            unusable = rescues.Unusable(
                source,
                server.shelved_image,
                "is an image that does not exist",
                "create a new server, or ask the cloud's operator for the "
                "image",
            )
            return self._unusable(UNSHELVE, server, unusable)
        return self._anew(UNSHELVE, server, image)

    def rescue(self, server_id: str, body: Body) -> ServerRequest:
        """Read the action ``rescue``."""
        server = self._find.server(server_id)
        named = section(body, "rescue").get("rescue_image_ref")
        try:
            image = rescues.rescue_image(self._find, server, named)
        except rescues.Unusable as error:
            return self._unusable(RESCUE, server, error)
        present = with_new_disk(self.existing(server), server.hardware)
        if image.holder.id != server.image:
            # What the server was made of excuses no other file.
            present = rescues.devices_alone(present)
        specs = server.flavor.extra_specs
        return ServerRequest(
            with_present_flavor(
                rescues.rescued(self._find, server, image), specs
            ),
            self.subject(RESCUE, server, image),
            existing=(with_present_flavor(present, specs),),
        )

    def resize(self, server_id: str, body: Body) -> ServerRequest:
        """Read the action ``resize``.

        The new flavor brings devices in, and so may Nova's record of the
        image, which is not always the server's own.
        """
        server = self._find.server(server_id)
        # Nova's own words for it, a number included
        reference = str(section(body, "resize").get("flavorRef"))
        flavor = self._find.flavor(reference)
        # ``MigrationTask`` of the conductor sends the RequestSpec's image to
        # the hosts, not the server's stored metadata.
        made = self._with_kept(
            self._find.recorded_image(server).hardware(), server
        )
        present = with_new_disk(self.existing(server), server.hardware)
        return ServerRequest(
            with_specs(made, flavor.extra_specs),
            self.subject(RESIZE, replace(server, flavor=flavor)),
            existing=(with_specs(present, server.flavor.extra_specs),),
        )

    def snapshot(self, server_id: str, body: Body) -> ServerRequest | None:
        """Read ``createImage`` and ``createBackup``: metadata of an image."""
        # One key: ``action_peek`` of Nova has refused any other number.
        (action,) = body
        change = section(body[action], "metadata")
        if not change:
            return None
        server = self._find.server(server_id)
        # Properties that the server has already are not this user's choice: a
        # snapshot of an old server must stay possible.
        before = Image(server.properties)
        return of_image(
            Image({**server.properties, **change}),
            self.subject(SNAPSHOT, server),
            before,
            frozenset(change),
        )

    def _anew(
        self, operation: str, server: Server, image: Image
    ) -> ServerRequest:
        """Return the request of a server that an image is put onto."""
        specs = server.flavor.extra_specs
        present = with_new_disk(self.existing(server), server.hardware)
        return ServerRequest(
            with_present_flavor(
                self._with_kept(image.hardware(), server), specs
            ),
            self.subject(operation, server, image),
            existing=(with_present_flavor(present, specs),),
        )

    def existing(self, server: Server) -> HardwareRequest:
        """Return the devices that a server has.

        They never include a rescue disk, even if the image has properties of
        one.
        """
        # With its own image on both sides: this is what it has, not what it
        # gets.
        made = with_kept(
            server.hardware,
            self._find.kept_devices(server),
            server.config_drive,
            server.hardware,
        )
        return replace(made, only=rescues.HAD)

    def _with_kept(
        self, request: HardwareRequest, server: Server
    ) -> HardwareRequest:
        made = with_kept(
            request,
            self._find.kept_devices(server),
            server.config_drive,
            server.hardware,
        )
        return with_new_disk(made, server.hardware)

    def _unusable(
        self, operation: str, server: Server, error: rescues.Unusable
    ) -> ServerRequest:
        request = HardwareRequest(devices=(), faults=(error.fault,))
        return ServerRequest(request, self.subject(operation, server))


def in_body(server: Body) -> tuple[list[DeviceChoice], list[Device]]:
    """Return the choices and devices in the body of a boot itself."""
    choices: list[DeviceChoice] = []
    devices: list[Device] = []
    for name in _MAPPINGS:
        more, why = block_device.read(server.get(name) or [], name)
        choices += more
        devices += why
    # Nova's own function for it (``_check_config_drive``).
    if strutils.bool_from_string(server.get("config_drive")):
        devices.append(WANTED_CONFIG_DRIVE)
    return choices, devices
