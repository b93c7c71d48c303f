# SPDX-License-Identifier: Apache-2.0
"""Generated clouds: what images and volumes have become since a boot."""

from typing import Any

from hypothesis import strategies as some

from tests.release.differential import choices
from tests.release.differential.cloud import Cloud
from tests.release.differential.values import (
    BUSES,
    IMAGE,
    OTHER_IMAGE,
    RESCUE_IMAGE,
    ROOT_IMAGE,
    ROOT_VOLUME,
    SNAPSHOT,
    SNAPSHOT_IMAGE,
    SNAPSHOT_VOLUME,
    VOLUME,
)


@some.composite
def _image(draw: Any) -> dict[str, Any]:
    return {
        "properties": draw(choices.properties()),
        "disk_format": draw(choices.DISK_FORMATS),
    }


@some.composite
def _rescue_image(draw: Any) -> dict[str, Any]:
    image: dict[str, Any] = draw(_image())
    kinds = ("disk", "cdrom", "cdrom", "floppy", "lun")
    for name, values in (("bus", BUSES), ("device", kinds)):
        value = draw(some.sampled_from((None, *values)))
        if value is not None:
            image["properties"][f"hw_rescue_{name}"] = value
    return image


@some.composite
def clouds(draw: Any, booted: dict[str, Any]) -> Cloud:
    """Give the objects of a cloud; the first image may have been changed."""
    images = {
        name: draw(_image())
        for name in (OTHER_IMAGE, SNAPSHOT_IMAGE, ROOT_IMAGE)
    }
    own = draw(some.sampled_from(("as booted", "changed", "changed", "gone")))
    if own != "gone":
        images[IMAGE] = booted if own == "as booted" else draw(_image())
    images[RESCUE_IMAGE] = draw(_rescue_image())
    volumes = {
        name: {"volume_image_metadata": draw(choices.properties()), "size": 1}
        for name in (ROOT_VOLUME, SNAPSHOT_VOLUME, VOLUME)
    }
    snapshots = {SNAPSHOT: {"volume_id": SNAPSHOT_VOLUME}}
    return Cloud(images, volumes, snapshots)
