# SPDX-License-Identifier: Apache-2.0
"""Objects that a request to Nova's API refers to, and their look-up protocol.

The gate implements it with Nova and the services, the offline commands with
a description. The readers of this package know nothing else of either.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from nova_vhard.catalogue.devices import OF_FILE
from nova_vhard.policy.hardware import (
    IMAGE,
    NOBODY,
    STORED,
    HardwareRequest,
    Holder,
)
from nova_vhard.request import image as image_reader

Body = Mapping[str, Any]


class NotFound(Exception):
    """Raised when a service says that this user gets no such object."""


class NotShown(NotFound):
    """Raised when the user cannot see an image now.

    Its owner may share it before Nova looks it up.
    """


class LookupFailed(Exception):
    """Raised when a look-up gets no answer, or none that can be read."""


@dataclass(frozen=True)
class Image:
    """The metadata that Nova takes a guest's devices from.

    :ivar properties: names to values, as the service keeps them
    :ivar disk_format: such as ``iso``; None for a volume, as Nova has it
    :ivar origin: IMAGE or VOLUME
    :ivar holder: which image or volume it is, and whose
    """

    properties: Mapping[str, Any] = field(default_factory=dict)
    disk_format: str | None = None
    origin: str = IMAGE
    holder: Holder = NOBODY

    def hardware(self) -> HardwareRequest:
        """Return what it asks for."""
        return image_reader.read(
            self.properties, self.disk_format, self.origin, self.holder
        )

    def file(self) -> HardwareRequest:
        """Return its hardware, of which the rules of the file are judged."""
        # A second disk does not choose the guest's devices, but it is booted.
        return replace(self.hardware(), only=frozenset(OF_FILE))


@dataclass(frozen=True)
class Flavor:
    """A flavor.

    :ivar flavorid: the id that users give
    """

    name: str | None = None
    flavorid: str | None = None
    extra_specs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KeptDevice:
    """A block device that a server has had since its boot.

    :ivar disk_bus: as Nova's database has it, None where it says none
    :ivar device_type: likewise
    :ivar device_name: likewise, without ``/dev/``
    :ivar named: whether Nova goes by its name, then its kind, where it has
        no bus: a volume that is not the root. Any other device then goes
        onto the disks' bus
    :ivar root: whether it is the root disk, which an ISO image replaces
    """

    disk_bus: str | None = None
    device_type: str | None = None
    device_name: str | None = None
    named: bool = False
    root: bool = False


@dataclass(frozen=True)
class Server:
    """A server that exists.

    :ivar image: id of its image; None for a volume-backed server
    :ivar hardware: what its own stored image metadata asks for
    :ivar properties: that metadata, names to values
    :ivar config_drive: whether Nova gives it a config drive
    :ivar base_image: image that a rescue without one boots, if it is stored
    :ivar shelved_image: snapshot that it was shelved to, if any
    :ivar offloaded: whether it is shelved and on no host
    :ivar running: whether Nova waits for its shutdown before a rescue
    """

    id: str
    project: str | None = None
    image: str | None = None
    flavor: Flavor = field(default_factory=Flavor)
    hardware: HardwareRequest = field(default_factory=HardwareRequest)
    properties: Mapping[str, Any] = field(default_factory=dict)
    config_drive: bool = False
    base_image: str | None = None
    shelved_image: str | None = None
    offloaded: bool = False
    running: bool = False

    def stored(self) -> Image:
        """Return the stored image metadata as an Image."""
        devices, origin = self.hardware.devices, self.hardware.origin
        disk_format = "iso" if image_reader.ISO_IMAGE in devices else None
        return Image(self.properties, disk_format, origin, STORED)


class Lookups(Protocol):
    """Looks up the objects of one request, as the user who sent it.

    Each method raises NotFound if the service does not find the object, and
    LookupFailed if no service answers.
    """

    def boot_image(self, server: Body) -> Image:
        """Return what Nova takes the devices of a new server from.

        :param server: ``server`` of POST /servers
        """

    def boot_flavor(self, reference: Any) -> Flavor:
        """Return the flavor of a ``flavorRef`` of POST /servers."""

    def flavor(self, flavor_id: str) -> Flavor:
        """Return a flavor by the id that users give."""

    def image(self, image_id: Any) -> Image:
        """Return an image."""

    def port(self, port_id: Any) -> Mapping[str, Any]:
        """Return a port as Neutron shows it, with ``binding:vnic_type``."""

    def server(self, server_id: str) -> Server:
        """Return a server."""

    def kept_devices(self, server: Server) -> Iterable[KeptDevice]:
        """Return the block devices of a server."""

    def recorded_image(self, server: Server) -> Image:
        """Return what a resize takes the server's devices from.

        Nova's record of the boot, or of the last rebuild with another image.
        """

    def own_image(self, server: Server) -> Image | None:
        """Return what a stable rescue takes the server's own devices from.

        :returns: None for its stored image metadata
        """
