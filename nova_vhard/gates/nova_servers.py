# SPDX-License-Identifier: Apache-2.0
"""Servers, their devices and hosts, out of Nova's databases."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nova import context as nova_context
from nova import exception, objects
from nova.block_device import strip_dev
from nova.compute import vm_states
from nova.objects import image_meta
from nova.virt import configdrive

from nova_vhard.policy.hardware import STORED
from nova_vhard.request import request_spec
from nova_vhard.request.lookups import Flavor, KeptDevice, Server

_PREFIX = "image_"


@dataclass(frozen=True)
class Host:
    """A host, with what the scheduler's gate looks at of a Nova HostState.

    :ivar uuid: of its compute node
    :ivar service: with ``version``: that of its nova-compute service
    """

    uuid: str
    host: str
    hypervisor_type: str | None
    service: Mapping[str, Any]


def flavor(value: Any) -> Flavor:
    """Return a Nova Flavor as the readers take it."""
    specs = value.extra_specs if "extra_specs" in value else {}
    return Flavor(value.name, value.flavorid, specs or {})


def read(instance: Any) -> Server:
    """Return a Nova Instance as the readers take it."""
    metadata = instance.system_metadata
    # Nova's own reader, as nova-compute uses it for a reboot or an attachment:
    # legacy names and cut values mean here what they mean there.
    meta = image_meta.ImageMeta.from_instance(instance)
    properties = {
        name.removeprefix(_PREFIX): value
        for name, value in metadata.items()
        if name.startswith(_PREFIX)
    }
    return Server(
        id=instance.uuid,
        project=instance.project_id,
        image=instance.image_ref or None,
        flavor=flavor(instance.flavor),
        hardware=request_spec.read_image(meta, STORED),
        properties=properties,
        # Not instance.config_drive alone: an image with
        # img_config_drive=mandatory gives one too.
        config_drive=bool(configdrive.required_by(instance)),
        base_image=properties.get("base_image_ref"),
        shelved_image=metadata.get("shelved_image_id"),
        offloaded=instance.vm_state == vm_states.SHELVED_OFFLOADED,
        # A task may be about to start it.
        running=instance.vm_state != vm_states.STOPPED
        or ("task_state" in instance and instance.task_state is not None),
    )


def recorded(context: Any, instance: Any) -> Any:
    """Return the image that a resize or migration makes a guest of.

    :returns: ImageMeta of the server's RequestSpec, which a rebuild with the
        server's own image leaves as it was; None if there is no record
    """
    try:
        spec = objects.RequestSpec.get_by_instance_uuid(context, instance.uuid)
    except exception.RequestSpecNotFound:
        return None
    return spec.image


def kept_devices(info: Mapping[str, Any]) -> Iterator[KeptDevice]:
    """Yield a server's devices as the readers take them.

    :param info: what nova.virt.driver.get_block_device_info returns
    """
    swap = [info["swap"]] if info["swap"] else []
    # In the order in which Nova gives them names. A local root is under
    # ``image``, a root volume under ``block_device_mapping``.
    for device in info["image"]:
        yield _kept(device, root=True)
    for device in (*info["ephemerals"], *swap):
        yield _kept(device)
    for device in info["block_device_mapping"]:
        root = device.get("boot_index") == 0
        # ``get_root_info`` passes the disks' bus on, so that the name of a
        # root volume without a bus does not count.
        yield _kept(device, root=root, named=not root)


def _kept(
    device: Any, *, root: bool = False, named: bool = False
) -> KeptDevice:
    name = device.get("device_name") or device.get("mount_device")
    bus, kind = device.get("disk_bus"), device.get("device_type")
    return KeptDevice(bus, kind, strip_dev(name), named, root)


def block_devices(context: Any, instance: Any) -> Any:
    """Return a server's BlockDeviceMappingList."""
    return _in_cell(
        context,
        instance,
        lambda cell: objects.BlockDeviceMappingList.get_by_instance_uuid(
            cell, instance.uuid
        ),
    )


def host(instance: Any) -> Host:
    """Return the host that a server runs on.

    :raises nova.exception.ComputeHostNotFound: if its compute node, or its
        service, is not there
    """
    return _in_cell(  # type: ignore[no-any-return]
        nova_context.get_admin_context(),
        instance,
        lambda cell: _host(cell, instance),
    )


def _host(cell: Any, instance: Any) -> Host:
    # Host and node: one nova-compute may serve several nodes, each with a
    # resource provider of its own.
    node = objects.ComputeNode.get_by_host_and_nodename(
        cell, instance.host, instance.node
    )
    service = objects.Service.get_by_compute_host(cell, instance.host)
    return Host(
        node.uuid,
        node.host,
        node.hypervisor_type,
        {"version": service.version},
    )


def _in_cell(context: Any, instance: Any, call: Callable[[Any], Any]) -> Any:
    """Return what is found in the database of a server's cell."""
    mapping = objects.InstanceMapping.get_by_instance_uuid(
        context, instance.uuid
    )
    with nova_context.target_cell(context, mapping.cell_mapping) as cell:
        return call(cell)
