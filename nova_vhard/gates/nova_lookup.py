# SPDX-License-Identifier: Apache-2.0
"""Look-ups of the Nova API's gate: the objects that one request refers to.

Images, volumes and ports are read with the rights of the user, through Nova's
own clients of Glance, Cinder and Neutron. Servers and flavors are read from
Nova's databases. If a function of Nova decides what is read, the gate calls
that function.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nova import block_device, exception, objects
from nova.api.openstack import common
from nova.compute import api as compute
from nova.network import neutron
from nova.virt import driver
from nova.volume import cinder as cinder_api
from oslo_utils import uuidutils

from nova_vhard.gates import nova_images, nova_servers
from nova_vhard.policy.hardware import NOBODY, STORED, VOLUME, Holder
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import Subject
from nova_vhard.request import request_spec
from nova_vhard.request.lookups import (
    Body,
    Flavor,
    Image,
    KeptDevice,
    LookupFailed,
    NotFound,
    NotShown,
    Server,
)

#: Exceptions that Nova's own functions raise for block devices, or for the
#: metadata of a volume, that they cannot read. Nova itself then fails as well.
_UNREADABLE = (exception.NovaException, OverflowError, TypeError, ValueError)


class _Glance:
    """Glance, as Nova's function asks it."""

    def __init__(self, find: "NovaLookups") -> None:
        self._find = find
        self.image: Image | None = None

    def get(self, _context: Any, image_id: Any) -> dict[str, Any]:
        """Keep the image that is read; its properties are read elsewhere."""
        # Nova's function turns every exception of this call into
        # InvalidBDMImage. NovaLookups remembers the first error, and ``_root``
        # raises that.
        self.image = self._find.image(image_id)
        return {}


class _Cinder:
    """Cinder, as Nova's function asks it."""

    def __init__(self, find: "NovaLookups") -> None:
        self._find = find
        self.holder = NOBODY

    def get(self, _context: Any, volume_id: Any) -> dict[str, Any]:
        """Return a volume, and keep its owner and its source image."""
        result = self._find.volume(volume_id)
        self.holder = Holder(
            str(volume_id),
            result.get("project_id"),
            made_of=nova_images.image_of(result),
        )
        return result

    def get_snapshot(self, _context: Any, snapshot_id: Any) -> dict[str, Any]:
        """Return a volume snapshot, as Nova's client does."""
        return self._find.volume_snapshot(snapshot_id)


class Services:
    """Nova's API objects, which connect when they are used."""

    def __init__(self) -> None:
        self.volumes = cinder_api.API()
        self.ports = neutron.API()
        self.servers = compute.API()


class NovaLookups:
    """Answers nova_vhard.request.lookups.Lookups for one request.

    Each object is looked up once. After the first failed look-up of an image,
    volume, snapshot or port, no other of these is looked up.

    :param services: of this worker
    :param context: nova.context.RequestContext of the user
    """

    def __init__(self, services: Services, context: Any) -> None:
        self._services = services
        self._context = context
        self._found: dict[tuple[str, str], Any] = {}
        self._error: NotFound | LookupFailed | None = None

    def boot_image(self, server: Body) -> Image:
        """Return the image or volume metadata for a new server's devices."""
        if reference := server.get("imageRef"):
            return self.image(reference)
        legacy = server.get("block_device_mapping")
        # An imageRef wins over every block device: compute.API reads the
        # devices only where there is no image (``_create_instance``).
        try:
            # A copy: from_api takes ``uuid`` out of the dictionary, and the
            # body is read again in the search for a fix.
            devices = legacy or [
                block_device.BlockDeviceDict.from_api(dict(entry), False)
                for entry in server.get("block_device_mapping_v2") or ()
            ]
        except _UNREADABLE as error:
            # Nova refuses such a device before its first look-up.
            raise NotFound(str(error)) from error
        return self._root(devices, bool(legacy))

    def _root(self, devices: Iterable[Any], legacy: bool) -> Image:
        """Return the metadata of a root device, read by Nova's own function.

        It decides which of a snapshot, an image and a volume counts. It
        replaces every error of a look-up; this one raises the original error.
        Nova's errors about the devices may be temporary too: the owner of a
        volume decides whether it is bootable.

        :param devices: as Nova passes them: API dictionaries for a boot, the
            driver's devices for a rescue
        :param legacy: True for the legacy format (block_device_mapping)
        :raises NotShown: if Nova would refuse the device as it is now, or
            its snapshot is not found
        :raises LookupFailed: if no service answers
        """
        glance, cinder = _Glance(self), _Cinder(self)
        try:
            # Do not read ``source_type`` here instead: Nova looks at which of
            # the ids is set, and a blank device may carry one (bypass 30).
            result = block_device.get_bdm_image_metadata(
                self._context, glance, cinder, devices, legacy
            )
        except (NotFound, *_UNREADABLE) as error:
            # Nova's function does not replace the error of a snapshot.
            if isinstance(self._error, LookupFailed):
                raise self._error from error
            raise NotShown(str(self._error or error)) from error
        if glance.image is not None:
            return glance.image
        # Empty too where no device has boot index 0. Such a server has only
        # the defaults, which are judged all the same.
        # Nova removes the disk format of a volume.
        properties = result.get("properties") or {}
        return Image(properties, None, VOLUME, cinder.holder)

    def boot_flavor(self, reference: Any) -> Flavor:
        """Return the flavor of a ``flavorRef`` of POST /servers."""
        try:
            return self.flavor(common.get_id_from_href(reference))
        except ValueError as error:
            # such as http://[, which Nova does not read, either
            raise NotFound(str(error)) from error

    def flavor(self, flavor_id: str) -> Flavor:
        """Return a flavor by the id that users give."""
        result = self._look_up(
            "flavor",
            flavor_id,
            lambda: objects.Flavor.get_by_flavor_id(
                self._context, flavor_id, read_deleted="no"
            ),
        )
        return nova_servers.flavor(result)

    def image(self, image_id: Any) -> Image:
        """Return an image, see nova_images."""
        result = self._asked(
            "image",
            image_id,
            lambda: nova_images.get(self._context, image_id),
        )
        return nova_images.read(result)

    def volume(self, volume_id: Any) -> dict[str, Any]:
        """Return a volume in the format of nova.volume.cinder."""
        return self._asked(
            "volume",
            volume_id,
            lambda: self._services.volumes.get(self._context, volume_id),
        )

    def volume_snapshot(self, snapshot_id: Any) -> dict[str, Any]:
        """Return a volume snapshot likewise."""
        return self._asked(
            "snapshot",
            snapshot_id,
            lambda: self._services.volumes.get_snapshot(
                self._context, snapshot_id
            ),
        )

    def port(self, port_id: Any) -> Mapping[str, Any]:
        """Return a port as Neutron shows it to the user.

        :raises LookupFailed: also where Neutron hides what kind it is
        """
        result = self._asked(
            "port",
            port_id,
            lambda: self._services.ports.show_port(self._context, port_id)[
                "port"
            ],
        )
        if "binding:vnic_type" not in result:
            # An operator can hide this attribute from users by Neutron's
            # policy. To take a hidden type for "normal" would let any direct
            # port pass.
            raise LookupFailed("Neutron does not show the vnic type of a port")
        return result

    def server(self, server_id: str) -> Server:
        """Return a server."""
        try:
            return nova_servers.read(self.instance(server_id))
        except (ValueError, exception.Invalid) as error:
            # Nova keeps 255 bytes of a property, which need not be valid. It
            # cannot read the server either.
            raise NotFound(str(error)) from error

    def instance(self, server_id: str) -> Any:
        """Return a server as a Nova Instance."""
        if not uuidutils.is_uuid_like(server_id):
            raise NotFound("no server has such an id")
        found = self._look_up(
            "server",
            server_id,
            lambda: self._services.servers.get(
                self._context,
                server_id,
                expected_attrs=["flavor", "system_metadata"],
            ),
        )
        # Nova also returns a server of another project until a cell is
        # selected, and checks the user's rights later.
        if not self._context.is_admin and (
            found.project_id != self._context.project_id
        ):
            raise NotFound("the server is not there")
        return found

    def kept_devices(self, server: Server) -> Iterable[KeptDevice]:
        """Return the block devices of a server, as Nova's drivers see them."""
        return nova_servers.kept_devices(self._block_device_info(server))

    def recorded_image(self, server: Server) -> Image:
        """Return what a resize takes the server's devices from."""
        instance = self.instance(server.id)
        # Not server.stored(): a rebuild with the server's own image changes
        # the stored metadata but not the RequestSpec, which a resize goes by.
        result = self._look_up(
            "record",
            server.id,
            lambda: nova_servers.recorded(self._context, instance),
        )
        if result is None:
            return server.stored()
        return request_spec.image_of(result, STORED)

    def own_image(self, server: Server) -> Image | None:
        """Return what a stable rescue takes the server's devices from."""
        # If Glance does not show the image, the libvirt driver's ``rescue``
        # falls back to the stored image metadata. So does the reader for None.
        if server.image:
            try:
                return self.image(server.image)
            except NotFound:
                return None
        listed = self._block_device_info(server)["block_device_mapping"]
        # As ``_get_instance_block_device_info`` of nova-compute, which leaves
        # out volumes that are reserved and not yet attached.
        attached = [item for item in listed if item.get("connection_info")]
        return self._root(attached, False)

    def with_image(self, policy: Policy, subject: Subject) -> Subject:
        """Return a subject with its root volume's image.

        See ``nova_images.with_image``.
        """
        return nova_images.with_image(
            policy,
            subject,
            self._services.volumes,
            self._context,
            lambda: self._block_devices(subject.server),
        )

    def _block_devices(self, server_id: Any) -> Any:
        return self._look_up(
            "devices",
            server_id,
            lambda: nova_servers.block_devices(
                self._context, self.instance(server_id)
            ),
        )

    def _block_device_info(self, server: Server) -> dict[str, Any]:
        info: dict[str, Any] = driver.get_block_device_info(
            self.instance(server.id), self._block_devices(server.id)
        )
        return info

    def host(self, server_id: str) -> Any:
        """Return the host that a server runs on, see nova_servers.Host."""
        instance = self.instance(server_id)
        return self._look_up(
            "host", server_id, lambda: nova_servers.host(instance)
        )

    def _asked(
        self, kind: str, name: Any, call: Callable[[], Any]
    ) -> dict[str, Any]:
        """Return another service's description of an object.

        Look it up by the value in the request, as Nova would.

        :raises NotFound: if the answer is 4xx
        :raises LookupFailed: if there is another answer, or none
        """
        if not isinstance(name, str) or not name or "/" in name:
            # Nova would treat it as a URL. Do not ask a service for it.
            raise NotFound(f"no {kind} has such an id")
        if (kind, name) not in self._found:
            # Nova refuses the request in any case.
            if self._error is not None:
                raise self._error
            try:
                self._look_up(kind, name, call)
            except (NotFound, LookupFailed) as error:
                self._error = error
                raise
        result = self._found[kind, name]
        # A proxy in between may answer 200 with a list or a page of text.
        if not isinstance(result, dict):
            raise LookupFailed(f"the answer about a {kind} is not an object")
        return result

    def _look_up(self, kind: str, name: str, call: Callable[[], Any]) -> Any:
        """Return the result of a lookup, which may have been made before."""
        key = (kind, name)
        if key in self._found:
            return self._found[key]
        try:
            result = call()
        except exception.NovaException as error:
            # Nova's exceptions for a lost connection (GlanceConnectionFailed,
            # CinderConnectionFailed) have the default code 500 and fail
            # closed.
            if 400 <= error.code < 500:  # noqa: PLR2004 - HTTP
                hidden = nova_images.is_hidden(error)
                raised = NotShown if hidden else NotFound
                raise raised(f"the {kind} is not there: {error}") from error
            raise LookupFailed(f"{kind}: {error}") from error
        except Exception as error:
            raise LookupFailed(
                f"{kind}: {type(error).__name__}: {error}"
            ) from error
        self._found[key] = result
        return result
