# SPDX-License-Identifier: Apache-2.0
"""Every root, and what of it can be changed after the boot."""

from collections.abc import Callable

from tests.release.oracle import double_roots, single_roots
from tests.release.oracle.cloud import Cloud
from tests.release.oracle.root import Root

Maker = Callable[[Cloud], Root]

#: By name: what makes it, and its objects that somebody may write.
ROOTS: dict[str, tuple[Maker, tuple[str, ...]]] = {
    "image": (single_roots.image, ("image",)),
    "image-scsi": (single_roots.image_scsi, ("image",)),
    "blank": (single_roots.blank, ("image",)),
    "volume": (single_roots.volume, ("volume",)),
    "volume-scsi": (single_roots.volume_scsi, ("volume",)),
    "snapshot": (single_roots.snapshot, ("volume", "origin")),
    "image-to-volume": (single_roots.image_to_volume, ("image", "volume")),
    "volume-v1": (single_roots.volume_format_1, ("volume",)),
    "snapshot-v1": (single_roots.snapshot_format_1, ("volume", "origin")),
    "image+volume": (double_roots.image_and_volume, ("volume",)),
    "volume+snapshot": (
        double_roots.volume_with_snapshot,
        ("volume", "origin"),
    ),
    "snapshot+volume": (
        double_roots.snapshot_with_volume,
        ("volume", "origin"),
    ),
    "volume+image": (double_roots.volume_with_image, ("volume", "image")),
    "volume+snapshot-v1": (double_roots.both_format_1, ("volume", "origin")),
    "foreign-keys-v1": (
        double_roots.foreign_keys_format_1,
        ("volume", "image"),
    ),
}
