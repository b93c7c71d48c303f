# SPDX-License-Identifier: Apache-2.0
"""Who in Nova reads an object without deciding a device by it.

Whatever is not here counts: a reader that a later Nova adds turns a cell red
until somebody has looked at it.
"""

IMAGE, VOLUME, PORT = "image", "volume", "port"
_API = "nova.compute.api:API"
_NEUTRON = "nova.network.neutron:API"
_SNAPSHOT = "snapshot_volume_backed.<locals>.snapshot_instance"

#: Kind and reader, and what it reads the object for.
HARMLESS: dict[tuple[str, str], str] = {
    (IMAGE, "nova.virt.libvirt.driver:LibvirtDriver.snapshot"): (
        "the image that it is about to write"
    ),
    (VOLUME, f"{_API}._check_volume_status"): "status",
    (VOLUME, f"{_API}._get_volumes_for_bdms"): "status, size and zone",
    (VOLUME, f"{_API}.{_SNAPSHOT}"): "name of the snapshot that it takes",
    (VOLUME, f"{_API}.attach_volume"): "status and zone",
    (VOLUME, f"{_API}.rebuild"): "image_id: whether the scheduler is asked",
    (
        VOLUME,
        "nova.compute.manager:ComputeManager._await_block_device_map_created",
    ): "status of a volume that it makes",
    (
        VOLUME,
        "nova.virt.block_device:DriverVolumeBlockDevice._get_volume",
    ): "zone, whether it is shared and locked",
    (PORT, f"{_NEUTRON}.get_binding_profile_allocation"): (
        "which provider of bandwidth it is on"
    ),
    (PORT, f"{_NEUTRON}.is_remote_managed_port"): (
        "whether every compute is new enough; a server's own ports were "
        "judged when they came"
    ),
}
