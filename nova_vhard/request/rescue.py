# SPDX-License-Identifier: Apache-2.0
"""Devices of a server in rescue mode.

``LibvirtDriver.rescue`` in nova/virt/libvirt/driver.py: a legacy rescue has
the rescue image's devices and two disks on its bus, nothing else. A stable
one, which a rescue image with ``hw_rescue_bus`` or ``hw_rescue_device``
requests, has the server's devices under the server's own image, and one more
disk.
"""

from collections.abc import Iterator
from dataclasses import replace

from nova_vhard.catalogue.devices import KINDS, OF_FILE
from nova_vhard.common.commands import command
from nova_vhard.policy.hardware import (
    CDROM,
    DISK,
    FLOPPY,
    Device,
    Fault,
    HardwareRequest,
)
from nova_vhard.request.block_device import REMOVABLE
from nova_vhard.request.image import BASE_IMAGE, is_image_id
from nova_vhard.request.kept_devices import with_kept, with_new_disk
from nova_vhard.request.lookups import Image, Lookups, NotFound, Server

#: Seconds that Nova waits for a running guest to shut down before it reads
#: the server's own image: ``[DEFAULT] shutdown_timeout`` as Nova has it.
SHUTDOWN_TIMEOUT = 60
_TIMEOUT = "os_shutdown_timeout"

_OF_DISK = frozenset(("rescue_bus", "rescue_device"))
#: Kinds that a stable rescue takes from the rescue image.
_OF_RESCUE = _OF_DISK.union(OF_FILE)
#: Kinds that a server can already have before a rescue.
HAD = frozenset(KINDS) - _OF_DISK
# A rescue image with one of them asks for a stable rescue.
_STABLE = frozenset(("hw_rescue_bus", "hw_rescue_device"))
_BUS_KIND = {CDROM: "cdrom_bus", FLOPPY: "floppy_bus", DISK: "disk_bus"}


def rescue_image(find: Lookups, server: Server, named: str | None) -> Image:
    """Return the image that Nova rescues a server with.

    :param named: ``rescue_image_ref`` of the request
    :raises NotFound: where Nova's API answers the request with a 4xx
    :raises Unusable: where only nova-compute would look
    """
    # Nova's API looks this one up itself, and answers 400 if it is not found.
    if named:
        return find.image(named)
    # As ``_get_rescue_image`` of nova-compute, which runs after the API has
    # answered: a 4xx of Nova's comes too late to rely on.
    reference = server.base_image or server.image
    if not reference:
        # a volume-backed server, to which Nova's API answers 400
        raise NotFound("there is no image to rescue with")
    source = f"stored image property {BASE_IMAGE}"
    what = "specify a rescue image"
    if server.image is None:
        what += (
            " with the property hw_rescue_device=disk, because the "
            "server's root disk is a volume"
        )
    words = ("server", "rescue", "--image", "IMAGE", server.id)
    fix = f"{what}: {command(*words)}"
    # nova-compute would open it as an address (bypass 28).
    if not is_image_id(reference):
        raise Unusable(
            source, str(reference), "is not the ID of an image", fix
        )
    try:
        return find.image(reference)
    except NotFound as error:
        raise Unusable(
            source,
            str(reference),
            "is an image that does not exist or that this project cannot use",
            fix,
        ) from error


class Unusable(Exception):
    """Raised when nova-compute would read what nobody can judge before.

    :ivar fault: which reference, and what to do
    """

    def __init__(self, source: str, value: str, text: str, fix: str) -> None:
        super().__init__(text)
        self.fault = Fault(source, value, text, fix=fix)


def rescued(find: Lookups, server: Server, image: Image) -> HardwareRequest:
    """Return what a server has while it is rescued.

    :param image: the rescue image
    """
    if _STABLE.isdisjoint(image.properties):
        # The config drive is the server's, whatever this image requests.
        properties = dict(image.properties)
        properties.pop("img_config_drive", None)
        # disk_format: ``_get_rescue_disk_mapping`` puts the rescue disk on the
        # disks' bus, an ISO too.
        plain = replace(image, properties=properties, disk_format=None)
        return with_kept(
            _followed(plain.hardware()),
            # No kept devices: the server's volumes are not attached in a
            # legacy rescue, and its root goes onto the same bus as the rescue
            # disk.
            (),
            server.config_drive,
            server.hardware,
        )
    try:
        own = find.own_image(server)
    except NotFound:
        source = "the root volume of this server"
        text = "cannot be read, and a stable rescue uses its device properties"
        fix = "ask the cloud's operator for access to this volume"
        fault = Fault(source, server.id, text, fix=fix)
        return HardwareRequest(devices=(), faults=(fault,))
    request = server.hardware if own is None else own.hardware()
    request = with_kept(
        # Nova reads the server's image again, as it is now. Its stored
        # metadata is used only if the image is gone (bypass 11).
        devices_alone(request),
        find.kept_devices(server),
        server.config_drive,
        server.hardware,
    )
    return replace(
        with_new_disk(request, server.hardware),
        rescue_disk=rescue_disk(image),
        # In place of the own image's faults: a stable rescue follows none of
        # its references.
        faults=tuple(_slow_shutdown(server)),
    )


def devices_alone(request: HardwareRequest) -> HardwareRequest:
    """Return a request without the booted file and the rescue disk.

    In a stable rescue, both come from the rescue image. The server's own disk
    is not new.
    """
    return replace(request, only=frozenset(KINDS) - _OF_RESCUE)


def rescue_disk(image: Image) -> HardwareRequest:
    """Return the one disk that a stable rescue plugs in.

    Its bus is chosen by the rescue image; its controller by the server's.
    """
    properties = image.properties
    read = _followed(image.hardware())
    device = REMOVABLE.get(str(properties.get("hw_rescue_device")), DISK)
    # The bus is a choice of the image; nothing is implied.
    if "hw_rescue_bus" in properties:
        return replace(read, devices=(), only=_OF_RESCUE)
    reason = f"hw_rescue_device={properties.get('hw_rescue_device')}"
    return replace(
        read,
        devices=(Device(device, "rescue disk", reason),),
        only=_OF_RESCUE | {_BUS_KIND[device]},
    )


def _followed(request: HardwareRequest) -> HardwareRequest:
    """Return a request without references that a rescue does not follow."""
    return replace(request, faults=())


def _slow_shutdown(server: Server) -> Iterator[Fault]:
    """Yield a fault where the server's own image could change for long.

    Nova reads it, or its root volume, once the guest is shut down.
    """
    if not server.running:
        return
    # Nova reads it from the server, not from the image
    # (``_get_power_off_values``).
    value = str(server.properties.get(_TIMEOUT))
    try:
        if int(value) <= SHUTDOWN_TIMEOUT:
            return
    except ValueError:
        # Nova takes it for the time that it always waits.
        return
    text = (
        f"makes Nova wait longer than {SHUTDOWN_TIMEOUT} seconds for the "
        "server to shut down, so that its image or root volume could be "
        "changed before the rescue starts"
    )
    fix = f"stop the server first: {command('server', 'stop', server.id)}"
    yield Fault(f"stored image property {_TIMEOUT}", value, text, fix=fix)
