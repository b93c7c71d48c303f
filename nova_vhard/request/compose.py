# SPDX-License-Identifier: Apache-2.0
"""Parts that requests are put together from, at a gate or at a desk."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nova_vhard.policy.hardware import (
    CDROM,
    CONFIG_DRIVE,
    IMAGE,
    NOBODY,
    Device,
    HardwareRequest,
    Holder,
)
from nova_vhard.request import flavor as flavor_reader
from nova_vhard.request import image as image_reader
from nova_vhard.request import passthrough

#: Config drive that a boot requests, and one that a server already has.
WANTED_CONFIG_DRIVE = Device(
    CDROM, CONFIG_DRIVE, "a config drive, requested by config_drive"
)
KEPT_CONFIG_DRIVE = Device(CDROM, CONFIG_DRIVE, "the server's config drive")


def read(image: Mapping[str, Any], holder: Holder = NOBODY) -> HardwareRequest:
    """Read an image, or the volume that replaces it.

    :param image: with ``properties``, ``disk_format`` and ``origin``, if
        known
    :param holder: the image or volume
    """
    return image_reader.read(
        image.get("properties") or {},
        image.get("disk_format"),
        image.get("origin", IMAGE),
        holder,
    )


def with_specs(
    request: HardwareRequest, specs: Mapping[str, str]
) -> HardwareRequest:
    """Return a request with what a flavor's extra specs ask for."""
    return replace(
        with_present_flavor(request, specs),
        passthrough=(*request.passthrough, *passthrough.of_flavor(specs)),
    )


def with_present_flavor(
    request: HardwareRequest, specs: Mapping[str, str]
) -> HardwareRequest:
    """Return a request about a server with its flavor's device choices.

    They may take effect with another image, if only the old one overrode a
    default of the flavor. Passthrough devices do not change.
    """
    # has_flavor even without a choice: a flavor that does not say
    # hw_rng:allowed gives the guest an rng.
    return replace(request.plus(flavor_reader.read(specs)), has_flavor=True)
