# SPDX-License-Identifier: Apache-2.0
"""The two commands that make a copy of another project's image."""

import pytest

from nova_vhard.policy.copies import how_to_copy
from nova_vhard.policy.hardware import NOBODY, Holder

VIRTIO = (("hw_disk_bus", "virtio"),)
BUS = "--property hw_disk_bus=virtio "


@pytest.mark.parametrize(
    ("holder", "properties", "image", "owner", "formats", "options"),
    [
        (Holder("1f2e", "p2", "iso"), VIRTIO, "1f2e", "p2", "iso bare", BUS),
        # a container of its own
        (Holder("1f2e", "p2", "aki"), (), "1f2e", "p2", "aki aki", ""),
        (Holder("1f2e", "p2", "ari"), (), "1f2e", "p2", "ari ari", ""),
        (Holder("1f2e", "p2", "ami"), (), "1f2e", "p2", "ami ami", ""),
        # what is not known, or is nothing for a shell
        (NOBODY, VIRTIO, "IMAGE", "PROJECT", "DISK_FORMAT bare", BUS),
        (
            Holder("$(x)", "a b", "`"),
            (*VIRTIO, ("hw_vif_model", "a b")),
            "IMAGE",
            "PROJECT",
            "DISK_FORMAT bare",
            BUS,
        ),
        (
            Holder("1f2e", "p2", "raw"),
            (*VIRTIO, ("hw_vif_model", "e1000e")),
            "1f2e",
            "p2",
            "raw bare",
            f"{BUS}--property hw_vif_model=e1000e ",
        ),
    ],
)
def test_whose_it_is_and_what_to_run(
    holder, properties, image, owner, formats, options
):
    disk, container = formats.split()
    assert how_to_copy(holder, properties) == (
        f"image {image} belongs to project {owner}, who alone can change it; "
        "to use a copy of your own, which has no property but these, run "
        f"`openstack image save --file my-copy.img {image}`, then "
        "`openstack image create --file my-copy.img "
        f"--disk-format {disk} --container-format {container} {options}"
        "my-copy`, and name my-copy in its place"
    )
