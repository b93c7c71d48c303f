# SPDX-License-Identifier: Apache-2.0
"""Parts that requests are put together from, at a gate or at a desk."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nova_vhard.policy.hardware import (
    CDROM,
    FLOPPY,
    IMAGE,
    NOBODY,
    VOLUME,
    HardwareRequest,
    Holder,
)
from nova_vhard.request import flavor as flavor_reader
from nova_vhard.request import image as image_reader
from nova_vhard.request import passthrough

#: Why a guest gets a CD-ROM: its own choice at boot, and what it has since.
CONFIG_DRIVE = (CDROM, "a config drive, by config_drive")
KEPT_CONFIG_DRIVE = (CDROM, "the server's config drive")

#: Device types that bring a device with a default of its own.
DEVICES: Mapping[str, str] = {"cdrom": CDROM, "floppy": FLOPPY}


def read(image: Mapping[str, Any], holder: Holder = NOBODY) -> HardwareRequest:
    """Read an image, or a volume as ``of_volume`` returns it.

    :param image: with ``properties``, ``disk_format`` and ``origin``, where
        known
    :param holder: which image or volume it is
    """
    return image_reader.read(
        image.get("properties") or {},
        image.get("disk_format"),
        image.get("origin", IMAGE),
        holder,
    )


def of_volume(volume: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a volume's image metadata in the shape of an image."""
    if volume is None:
        return None
    properties = volume.get("volume_image_metadata") or {}
    return {
        "origin": VOLUME,
        "properties": properties,
        "disk_format": properties.get("disk_format"),
    }


def with_specs(
    request: HardwareRequest, specs: Mapping[str, str]
) -> HardwareRequest:
    """Return a request with what a flavor's extra specs ask for."""
    return replace(
        request.plus(flavor_reader.read(specs)),
        passthrough=(*request.passthrough, *passthrough.of_flavor(specs)),
    )


def rescue_devices(image: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the CD-ROM or floppy that a rescue image is plugged in as."""
    properties = image.get("properties") or {}
    device = str(properties.get("hw_rescue_device"))
    if device not in DEVICES or "hw_rescue_bus" in properties:
        return []
    return [(DEVICES[device], f"hw_rescue_device={device}")]
