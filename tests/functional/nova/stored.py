# SPDX-License-Identifier: Apache-2.0
"""Nova's stored data of the servers that its scheduler is asked about.

The filter reads this data, also when a test calls the filter directly: either
rows of Nova's own database, or the same objects in a test without a
database.
"""

from collections.abc import Callable, Collection
from typing import Any

from nova import context, exception, objects
from oslo_db import exception as db_exception

objects.register_all()

CELL = objects.CellMapping(
    uuid="3f2a6e04-7c5d-4a59-9a75-2c8c1b0f6f11",
    name="cell1",
    transport_url="none:///",
    database_connection="sqlite://",
)


def rows(*disks: dict[str, Any]) -> objects.BlockDeviceMappingList:
    """Return the block devices of a server, by their fields."""
    made = [objects.BlockDeviceMapping(**fields) for fields in disks]
    return objects.BlockDeviceMappingList(objects=made)


def instance(server: str, **fields: Any) -> objects.Instance:
    """Return a server that is running or about to be built.

    :param fields: values that differ from those of the simplest server
    """
    simple = {
        "project_id": "p1",
        "image_ref": "",
        "vm_state": "active",
        "task_state": None,
        "config_drive": "",
        "launched_at": None,
        "root_device_name": None,
        "flavor": objects.Flavor(name="f", flavorid="1", extra_specs={}),
        "system_metadata": {},
        "pci_requests": objects.InstancePCIRequests(requests=[]),
        "pci_devices": objects.PciDeviceList(objects=[]),
        "compute_id": 1,
    }
    return objects.Instance(uuid=server, **{**simple, **fields})


def build_request(
    server: str, *disks: dict[str, Any], **fields: Any
) -> objects.BuildRequest:
    """Return the BuildRequest, which Nova keeps until a cell is chosen.

    :param disks: fields of its block devices
    :param fields: fields of its instance
    """
    return objects.BuildRequest(
        instance_uuid=server,
        project_id="p1",
        instance=instance(server, **fields),
        block_device_mappings=rows(*disks),
        tags=objects.TagList(objects=[]),
    )


def create(request: objects.BuildRequest) -> None:
    """Store a new server in Nova's API database."""
    request._context = context.get_admin_context()
    objects.InstanceMapping(
        request._context,
        instance_uuid=request.instance_uuid,
        project_id=request.project_id,
        cell_mapping=None,
    ).create()
    request.create()


class Stored:
    """Substitute for Nova's databases, with Nova's own objects but no SQL.

    :param patch: sets an attribute of a class until the end of the test
    :ivar fields: fields of every server that is requested
    :ivar disks: fields of its block devices
    :ivar new: whether it has a BuildRequest
    :ivar cell: its cell; None if it has no cell yet
    :ivar deleted: whether its user has deleted it
    :ivar away: classes whose database does not answer
    :ivar asked: classes that were requested, with the context
    :ivar servers: ids of the servers that were requested
    """

    def __init__(self, patch: Callable[[Any, str, Any], None]) -> None:
        self.fields: dict[str, Any] = {}
        self.disks: tuple[dict[str, Any], ...] = ()
        self.new = True
        self.cell: objects.CellMapping | None = CELL
        self.deleted = False
        self.away: set[str] = set()
        self.asked: list[tuple[str, Any]] = []
        self.servers: set[str] = set()
        by_uuid = "get_by_instance_uuid"
        patch(objects.BuildRequest, by_uuid, self._build)
        patch(objects.InstanceMapping, by_uuid, self._mapping)
        patch(objects.BlockDeviceMappingList, by_uuid, self._rows)
        patch(objects.Instance, "get_by_uuid", self._instance)

    def _ask(self, kind: str, who: Any, server: str) -> None:
        self.asked.append((kind, who))
        self.servers.add(server)
        if kind in self.away:
            raise db_exception.DBConnectionError("away")

    def _build(self, who: Any, server: str) -> objects.BuildRequest:
        self._ask("BuildRequest", who, server)
        if not self.new:
            raise exception.BuildRequestNotFound(uuid=server)
        return build_request(server, *self.disks, **self.fields)

    def _mapping(self, who: Any, server: str) -> objects.InstanceMapping:
        self._ask("InstanceMapping", who, server)
        return objects.InstanceMapping(
            cell_mapping=self.cell, queued_for_delete=self.deleted
        )

    def _instance(
        self, who: Any, server: str, expected_attrs: Collection[str] = ()
    ) -> objects.Instance:
        self._ask("Instance", who, server)
        made = instance(server, **self.fields)
        loaded = {"flavor", "system_metadata", "pci_requests", "pci_devices"}
        for name in loaded.difference(expected_attrs):
            # Reading it fails, since the server has no context to load it.
            delattr(made, f"_obj_{name}")
        return made

    def _rows(self, who: Any, server: str) -> objects.BlockDeviceMappingList:
        self._ask("BlockDeviceMappingList", who, server)
        made = rows(*self.disks)
        for row in made:
            # A row of a cell has every field.
            row.obj_set_defaults()
            for name, kind in row.fields.items():
                if kind.nullable and not row.obj_attr_is_set(name):
                    setattr(row, name, None)
        return made
