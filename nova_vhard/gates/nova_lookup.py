# SPDX-License-Identifier: Apache-2.0
"""Look-ups of the Nova API's gate: what a request refers to.

As the user, through Nova's own clients of Glance, Cinder and Neutron, at most
one request a referenced object; servers and flavors from Nova's databases.
"""

from collections.abc import Callable
from typing import Any

from nova import context as nova_context
from nova import exception, objects
from nova.api.openstack import common
from nova.compute import api as compute
from nova.network import neutron
from nova.volume import cinder
from oslo_utils import uuidutils

from nova_vhard.gates import nova_images


class LookupFailed(Exception):
    """A look-up got no answer, or one that makes no sense."""


class Lookups:
    """What one API worker asks of the services.

    Each look-up returns None where it is answered 4xx: Nova itself answers
    the request then, and gives the reason better.
    """

    def __init__(self) -> None:
        """Make Nova's API objects; they connect when they are used."""
        self._volumes = cinder.API()
        self._ports = neutron.API()
        self._servers = compute.API()

    def image(self, context: Any, image_id: Any) -> dict[str, Any] | None:
        """Return an image, see nova_images.

        :raises LookupFailed: without an answer that makes sense
        """
        return self._dict(image_id, lambda: nova_images.get(context, image_id))

    def volume(self, context: Any, volume_id: Any) -> dict[str, Any] | None:
        """Return a volume as nova.volume.cinder shows it."""
        return self._dict(
            volume_id, lambda: self._volumes.get(context, volume_id)
        )

    def volume_of_snapshot(
        self, context: Any, snapshot_id: Any
    ) -> dict[str, Any] | None:
        """Return the volume that a volume snapshot was taken of."""
        found = self._dict(
            snapshot_id,
            lambda: self._volumes.get_snapshot(context, snapshot_id),
        )
        return self.volume(context, found.get("volume_id")) if found else None

    def port(self, context: Any, port_id: Any) -> dict[str, Any] | None:
        """Return a port as Neutron shows it to the user.

        :raises LookupFailed: also where Neutron hides what kind it is
        """
        found = self._dict(
            port_id, lambda: self._ports.show_port(context, port_id)["port"]
        )
        if found is not None and "binding:vnic_type" not in found:
            raise LookupFailed(f"port {port_id} does not show its vnic type")
        return found

    def server(self, context: Any, server_id: Any) -> Any:
        """Return a Nova Instance with flavor and system metadata."""
        if not uuidutils.is_uuid_like(server_id):
            return None
        wanted = ["flavor", "system_metadata"]
        return _look_up(
            lambda: self._servers.get(
                context, server_id, expected_attrs=wanted
            )
        )

    def devices(self, context: Any, server: Any) -> list[Any]:
        """Return the BlockDeviceMappings that Nova keeps of a server."""
        return list(
            self._in_cell(
                context,
                server,
                lambda cell: (
                    objects.BlockDeviceMappingList.get_by_instance_uuid(
                        cell, server.uuid
                    )
                ),
            )
            or ()
        )

    def flavor(self, context: Any, flavor_id: str) -> Any:
        """Return a Nova Flavor by the id that users give."""
        return _look_up(
            lambda: objects.Flavor.get_by_flavor_id(
                context, flavor_id, read_deleted="no"
            )
        )

    def flavor_of(self, context: Any, reference: Any) -> Any:
        """Return the Nova Flavor of a ``flavorRef``, which may be a URL."""
        try:
            flavor_id = common.get_id_from_href(reference or "")
        except ValueError:
            # such as http://[, which Nova does not read, either
            return None
        return self.flavor(context, flavor_id)

    def host(self, context: Any, server: Any) -> Any:
        """Return the ComputeNode that a server runs on."""
        return self._in_cell(
            context,
            server,
            lambda cell: objects.ComputeNode.get_by_host_and_nodename(
                cell, server.host, server.node
            ),
        )

    @staticmethod
    def _in_cell(context: Any, server: Any, call: Callable[[Any], Any]) -> Any:
        """Return what is found in the database of a server's cell."""

        def find() -> Any:
            mapping = objects.InstanceMapping.get_by_instance_uuid(
                context, server.uuid
            )
            cell = mapping.cell_mapping
            with nova_context.target_cell(context, cell) as targeted:
                return call(targeted)

        return _look_up(find)

    @staticmethod
    def _dict(name: Any, call: Callable[[], Any]) -> dict[str, Any] | None:
        if not uuidutils.is_uuid_like(name):
            return None
        found = _look_up(call)
        if found is not None and not isinstance(found, dict):
            raise LookupFailed(f"{name}: the answer makes no sense")
        return found


def _look_up(call: Callable[[], Any]) -> Any:
    """Return what a look-up finds; None where it is answered 4xx.

    :raises LookupFailed: on anything else
    """
    try:
        return call()
    except exception.NovaException as error:
        if 400 <= error.code < 500:  # noqa: PLR2004 - HTTP
            return None
        raise LookupFailed(str(error)) from error
    except Exception as error:
        raise LookupFailed(f"{type(error).__name__}: {error}") from error
