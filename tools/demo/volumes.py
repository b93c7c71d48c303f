# SPDX-License-Identifier: Apache-2.0
"""The volumes that the demo's Cinder has, ready to boot from."""

#: Made from an image that asked for an IDE disk; Cinder keeps the image's
#: properties with the volume, where tenants can also change them.
IDE_VOLUME = "1de00000-0000-4000-8000-000000000001"

VOLUMES = (
    {
        "id": IDE_VOLUME,
        "display_name": "old-root-disk",
        "size": 1,
        "multiattach": False,
        "bootable": True,
        "availability_zone": "nova",
        "volume_image_metadata": {
            "image_id": "1de00000-0000-4000-8000-0000000000ff",
            "image_name": "old-router",
            "hw_disk_bus": "ide",
            "min_ram": "0",
            "min_disk": "0",
            "size": "1",
        },
    },
)
