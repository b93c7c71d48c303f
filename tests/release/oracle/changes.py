# SPDX-License-Identifier: Apache-2.0
"""Changes made after a server was booted, or before it is."""

from tests.release.oracle.cloud import Cloud
from tests.release.oracle.roots import Root

NOTHING = "nothing"

#: A machine without a device of its own, but with IDE for CD-ROMs; a card.
SPOILED = {
    "pc": {"hw_machine_type": "pc"},
    "e1000": {"hw_vif_model": "e1000"},
}

#: What ``base_image_ref`` names: an image that no policy lets in.
REFERRED = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}
URL = "http://glance.example.org/v2/images/"
BASES = {"url": URL, "id": ""}


def before_boot(cloud: Cloud, root: Root, change: str) -> None:
    """Set the plain property base_image_ref, which Nova then keeps."""
    what, _, how = change.partition(":")
    if what == "base":
        ref = BASES[how] + cloud.image(**REFERRED)
        cloud.glance.images[root.image]["properties"]["base_image_ref"] = ref
        if root.volume:
            metadata = cloud.cinder.volumes[root.volume]
            metadata["volume_image_metadata"]["base_image_ref"] = ref


def after_boot(
    cloud: Cloud, root: Root, change: str, server: str | None
) -> None:
    """Change an object behind the gates, as its owner may.

    :param server: None where the server is not booted yet
    """
    what, _, how = change.partition(":")
    if what == "image":
        image = cloud.glance.images[root.image]
        image["properties"].update(SPOILED[how])
    elif what in ("volume", "origin"):
        volume = root.origin if what == "origin" else root.volume
        if what == "volume" and server:
            volume = cloud.root_volume(server)
        metadata = cloud.cinder.volumes[volume]
        metadata["volume_image_metadata"].update(SPOILED[how])
