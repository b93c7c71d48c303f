# SPDX-License-Identifier: Apache-2.0
"""Image properties: legacy spellings, and names that are not devices.

Source: ``_legacy_property_map`` and ``fields`` in
``nova/objects/image_meta.py``.
"""

from collections.abc import Mapping

#: Legacy property name to the name of today; the name of today wins.
LEGACY_NAMES: Mapping[str, str] = {
    "architecture": "hw_architecture",
    "vmware_ostype": "os_distro",
    "ipxe_boot": "hw_ipxe_boot",
    "vm_mode": "hw_vm_mode",
    "mappings": "img_mappings",
    "block_device_mapping": "img_block_device_mapping",
    "bdm_v2": "img_bdm_v2",
}

#: ``ide`` means hw_disk_bus=ide; any other value means hw_disk_bus=scsi and
#: hw_scsi_model=value.
VMWARE_ADAPTER = "vmware_adaptertype"

_MEMORY = "memory layout of the guest, no device"
_CPU = "processor layout of the guest, no device"
_RECORD = "a record about the image, no device"
_OTHER_DRIVER = "read by drivers other than libvirt only"

#: Fields of Nova's ImageMetaProps that no device kind uses, and why.
NOT_DEVICES: Mapping[str, str] = {
    "hw_auto_disk_config": "resizes the root disk, chooses no device",
    "hw_cpu_cores": _CPU,
    "hw_cpu_max_cores": _CPU,
    "hw_cpu_max_sockets": _CPU,
    "hw_cpu_max_threads": _CPU,
    "hw_cpu_policy": _CPU,
    "hw_cpu_realtime_mask": _CPU,
    "hw_cpu_sockets": _CPU,
    "hw_cpu_thread_policy": _CPU,
    "hw_cpu_threads": _CPU,
    "hw_device_id": _OTHER_DRIVER,
    "hw_disk_type": _OTHER_DRIVER,
    "hw_ephemeral_encryption": "encrypts a disk, chooses no device",
    "hw_ephemeral_encryption_format": "encrypts a disk",
    "hw_ephemeral_encryption_secret_uuid": "encrypts a disk",
    "hw_locked_memory": _MEMORY,
    "hw_maxphysaddr_bits": _CPU,
    "hw_maxphysaddr_mode": _CPU,
    "hw_mem_page_size": _MEMORY,
    "hw_numa_cpus": _MEMORY,
    "hw_numa_mem": _MEMORY,
    "hw_numa_nodes": _MEMORY,
    "hw_pci_numa_affinity_policy": "places a device, chooses none",
    "hw_vif_multiqueue_enabled": "queues of a virtio card",
    "hw_video_ram": "memory of a card that video_model judges",
    "hw_virtio_packed_ring": "ring format of virtio devices",
    "img_bdm_v2": "read with img_block_device_mapping",
    "img_bittorrent": _OTHER_DRIVER,
    "img_block_device_mapping": "read by the block device reader",
    "img_cache_in_nova": _OTHER_DRIVER,
    "img_compression_level": _OTHER_DRIVER,
    "img_hide_hypervisor_id": _CPU,
    "img_hv_requested_version": "chooses hosts, no device",
    "img_hv_type": "chooses hosts, no device",
    "img_linked_clone": _OTHER_DRIVER,
    "img_mappings": "names devices of the image, chooses no bus",
    "img_owner_id": _RECORD,
    "img_root_device_name": "ignored by libvirt",
    "img_use_agent": _OTHER_DRIVER,
    "img_version": _RECORD,
    "os_admin_user": _RECORD,
    "os_command_line": "kernel command line, no device",
    "os_distro": "read by the defaults: libosinfo may pick by it",
    "os_require_quiesce": "asks the guest agent, adds none",
    "os_skip_agent_inject_files_at_boot": _OTHER_DRIVER,
    "os_skip_agent_inject_ssh": _OTHER_DRIVER,
    "os_type": "windows adds KVM's Hyper-V interface, no device",
    "traits_required": "chooses hosts, no device",
}
