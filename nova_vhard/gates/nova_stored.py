# SPDX-License-Identifier: Apache-2.0
"""Data that Nova has stored about the server that it schedules.

A RequestSpec has neither the block devices nor the config drive. For a new
server, they are in its BuildRequest (API database) until Nova selects a cell.
For any other server, they are in the database of its cell. Nova builds the
guest from the same records, so they cannot change between this check and the
start of the guest.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nova import context as nova_context
from nova import exception, objects
from nova.virt import driver
from oslo_db import exception as db_exception
from oslo_utils import strutils

from nova_vhard.common.log import get_logger
from nova_vhard.gates import nova_servers
from nova_vhard.policy.hardware import DISK, Device, HardwareRequest
from nova_vhard.policy.subject import BOOT, REBUILD, RESIZE
from nova_vhard.request import block_device, passthrough, request_spec
from nova_vhard.request import image as image_reader
from nova_vhard.request.compose import WANTED_CONFIG_DRIVE, with_specs
from nova_vhard.request.kept_devices import with_kept
from nova_vhard.request.lookups import Image
from nova_vhard.request.rescue import HAD
from nova_vhard.request.server_request import ServerRequest

LOG = get_logger(__name__)

GONE = (
    "nova-vhard cannot find this server (or the first of several) in "
    "Nova's databases. If it was not deleted, try again."
)

#: Seconds to wait before a BuildRequest is looked up again: a database cluster
#: may show it to another service with a delay.
LATE = 1

#: Sources of a block device, and the fields that are judged. Nova leaves
#: fields unset that the request did not set.
_CONTENT = ("image_id", "snapshot_id", "volume_id")
_FIELDS = (
    *("source_type", "destination_type", "guest_format", "boot_index"),
    *("device_type", "disk_bus", *_CONTENT),
)

Row = Mapping[str, Any]


def read(spec: Any) -> tuple[ServerRequest, Any]:
    """Return the request that a RequestSpec describes.

    :param spec: Nova RequestSpec
    :returns: the request, and the server's BlockDeviceMappingList, or None if
        the list was not read
    :raises nova.exception.NoValidHost: if Nova has no record of the server
    :raises Exception: if Nova's API database does not answer
    """
    subject = request_spec.subject(spec)
    request = ServerRequest(request_spec.read(spec), subject)
    if subject.operation == REBUILD:
        # Nova has already overwritten the old image's properties. Only the
        # flavor still shows what the server had.
        flavor = request_spec.without_image(spec)
        return replace(request, existing=(flavor,)), None
    # The user who moves a server may have no access to its project.
    context = spec._context.elevated()
    try:
        build = None
        if subject.operation == BOOT:
            build = _build_request(context, spec.instance_uuid)
        if build is not None:
            made = _new(build, request.hardware)
            # A new server has nothing that could excuse a device: no
            # ``existing``.
            return replace(request, hardware=made), build.block_device_mappings
        return _moved(context, spec, request)
    except exception.NotFound as error:
        raise exception.NoValidHost(reason=GONE) from error


def _build_request(context: Any, server_id: str) -> Any:
    """Return the BuildRequest of a new server.

    :returns: None if the server is in a cell. It is being moved then: Nova
        does not mark every move
    :raises nova.exception.NotFound: if the server has neither a BuildRequest
        nor a cell
    """
    get = objects.BuildRequest.get_by_instance_uuid
    try:
        return get(context, server_id)
    except exception.BuildRequestNotFound:
        mapping = objects.InstanceMapping.get_by_instance_uuid(
            context, server_id
        )
        if mapping.cell_mapping is not None:
            return None
        if mapping.queued_for_delete:
            # The user has deleted the server. Do not hold a thread for it.
            raise
    time.sleep(LATE)
    # The second miss raises and refuses. A boot without its block devices
    # cannot be judged, and a deleted server needs no host.
    return get(context, server_id)


def _new(build: Any, request: HardwareRequest) -> HardwareRequest:
    """Return the hardware of a new server, from its BuildRequest.

    Nova adds the block devices of the image to the rows of the BuildRequest.
    The entries that were read from the image properties are dropped.
    """
    rows: list[Row] = [
        {
            # To read an unset field of a BlockDeviceMapping raises
            # ObjectActionError.
            name: row[name] if row.obj_attr_is_set(name) else None
            for name in _FIELDS
        }
        for row in build.block_device_mappings
    ]
    listed = image_reader.MAPPINGS
    choices = [
        choice for choice in request.choices if choice.names.isdisjoint(listed)
    ]
    devices = [
        device
        for device in request.devices
        if device.name.partition("[")[0] not in listed
    ]
    # Without the image's own disk on its default bus.
    more, drives = block_device.read(
        [
            row
            for row in rows
            if row["source_type"] != "image"
            or row["destination_type"] != "local"
            or row["device_type"] not in (None, "disk")
            or row["disk_bus"]
        ],
        "block device",
    )
    # Nova stores a text here: ``True``, or an empty one for no config drive.
    if strutils.bool_from_string(build.instance.config_drive):
        drives.append(WANTED_CONFIG_DRIVE)
    # A rescue boots this image. The RequestSpec does not keep its ID.
    name = image_reader.BASE_IMAGE
    base = build.instance.system_metadata.get(f"image_{name}")
    faults = image_reader.read({name: base}, None, request.origin).faults
    return replace(
        request,
        choices=(*choices, *more),
        devices=(*devices, *drives),
        faults=(*request.faults, *faults),
        other_files=tuple(
            Image().file() for row in rows if _is_other_file(row, request)
        ),
    )


def _is_other_file(row: Row, request: HardwareRequest) -> bool:
    """Return whether a guest may boot a disk that is not made from its image.

    A row does not show whether the source of the disk is signed.
    """
    index = row["boot_index"]
    if index is None or index < 0 or row["source_type"] == "blank":
        return False
    made_of = [row[name] for name in _CONTENT if row[name]]
    # Each disk that can be booted must be made of this image and of nothing
    # else.
    if request.holder.id:
        return made_of != [request.holder.id]
    # Without an image, the RequestSpec has the root volume's metadata.
    return index != 0 or len(made_of) > 1


def _moved(
    context: Any, spec: Any, request: ServerRequest
) -> tuple[ServerRequest, Any]:
    """Return the request for a server that is in a cell.

    :returns: the request with the server's devices, and its
        BlockDeviceMappingList; without both if the cell does not answer
    :raises nova.exception.NotFound: if the server does not exist
    """
    mapping = objects.InstanceMapping.get_by_instance_uuid(
        context, spec.instance_uuid
    )
    # Without a cell there is no record of the server that could be judged.
    if mapping.cell_mapping is None:
        raise exception.NotFound
    try:
        with nova_context.target_cell(context, mapping.cell_mapping) as cell:
            instance = objects.Instance.get_by_uuid(
                cell,
                spec.instance_uuid,
                expected_attrs=[
                    "flavor",
                    "system_metadata",
                    "pci_requests",
                    "pci_devices",
                ],
            )
            rows = objects.BlockDeviceMappingList.get_by_instance_uuid(
                cell, spec.instance_uuid
            )
    except db_exception.DBError as error:
        # Only for a cell, and only for a move. The API database fails closed,
        # because a new server without its block devices could get any bus.
        LOG.warning(
            "The cell of server %s does not answer, so that its RequestSpec "
            "alone is judged: %s",
            spec.instance_uuid,
            error,
        )
        return request, None
    # Nova claims the ports that the server has now. Its RequestSpec keeps
    # those of the boot.
    asks = instance.pci_requests.requests
    # While a port is being attached, Nova has claimed a device on the server's
    # node, and has not stored the request yet. Devices of another node are
    # left from before an evacuation.
    early = [
        objects.InstancePCIRequest(
            requester_id="that is being attached",
            spec=[{"dev_type": each.dev_type}],
        )
        for each in instance.pci_devices
        if each.compute_node_id == instance.compute_id
        and each.request_id not in {asked.request_id for asked in asks}
    ]
    ports = filter(
        passthrough.is_port, passthrough.of_requests([*asks, *early])
    )
    asked = [x for x in request.hardware.passthrough if x.kind != "ports"]
    wanted = replace(request.hardware, passthrough=(*asked, *ports))
    server = nova_servers.read(instance)
    info = driver.get_block_device_info(instance, rows)
    kept = list(nova_servers.kept_devices(info))
    made, present = (
        # The same devices on both sides: what stays is compared with itself,
        # so that only what the move changes is new.
        with_kept(hardware, kept, server.config_drive, server.hardware)
        for hardware in (wanted, server.hardware)
    )
    # Nova adds these to the guest without a row in its database.
    new_disks = [
        Device(DISK, f"{size} of the new flavor")
        for size in ("swap", "ephemeral_gb")
        if spec.flavor.get(size, 0) and not instance.flavor.get(size, 0)
    ]
    subject = request.subject
    # Nova marks a resize as a move. Under ``moves`` it could bring in devices
    # that a boot is refused for (bypass 23).
    if spec.flavor.flavorid != server.flavor.flavorid:
        subject = replace(subject, operation=RESIZE)
    present = with_specs(present, server.flavor.extra_specs)
    # A move adds no port.
    stay = filter(passthrough.is_port, wanted.passthrough)
    had = (*present.passthrough, *stay)
    moved = replace(
        request,
        hardware=made.plus(devices=new_disks),
        subject=subject,
        existing=(replace(present, passthrough=had, only=HAD),),
    )
    return moved, rows
