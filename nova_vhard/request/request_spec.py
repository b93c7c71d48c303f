# SPDX-License-Identifier: Apache-2.0
"""Reader of Nova's RequestSpec: image or volume metadata, and flavor."""

from dataclasses import replace
from typing import Any

from nova.objects import request_spec as nova_spec
from nova.scheduler import utils as nova_utils

from nova_vhard.policy.hardware import (
    IMAGE,
    NOBODY,
    VOLUME,
    HardwareRequest,
    Holder,
    Passthrough,
)
from nova_vhard.policy.subject import (
    BOOT,
    MOVE,
    REBUILD,
    Subject,
    subject_of,
)
from nova_vhard.request import flavor as flavor_reader
from nova_vhard.request import image as image_reader
from nova_vhard.request import passthrough
from nova_vhard.request.lookups import Flavor, Image


def read(spec: nova_spec.RequestSpec) -> HardwareRequest:
    """Read the device choices that the scheduler can see.

    A RequestSpec never has the block devices of a request (Nova 31 to 34):
    gates/nova_stored.py reads them from Nova's databases. It has those of the
    image.

    :param spec: the request of one boot, move or rebuild
    """
    # ``in``: a field of an old RequestSpec may be unset, and reading it
    # raises.
    image = spec.image if "image" in spec else None
    # Exemptions of images apply by this ID; a volume's metadata has none.
    holder = (
        Holder(image.id)
        if image is not None and "id" in image and image.id
        else NOBODY
    )
    # ImageMetaProps has resolved legacy names and case already. The same
    # reader is used all the same, so that both gates judge alike.
    rest = without_image(spec)
    return replace(
        read_image(image, holder).plus(rest.choices),
        passthrough=rest.passthrough,
        host_checks=rest.host_checks,
        has_flavor=True,
    )


def without_image(spec: nova_spec.RequestSpec) -> HardwareRequest:
    """Read what the flavor and the ports ask for, and nothing else."""
    specs = _extra_specs(spec.flavor)
    asked = [*passthrough.of_flavor(specs), *_requests(spec)]
    choices = tuple(flavor_reader.read(specs))
    return HardwareRequest(
        choices=choices,
        devices=(),
        # Nova may add these although neither flavor nor image sets them.
        only=frozenset(("pmu", "rng", "rng_model")).union(
            choice.kind for choice in choices
        ),
        has_flavor=True,
        # A flavor's alias is in its extra specs and in pci_requests: once is
        # enough. An equal count makes them equal.
        passthrough=tuple(dict.fromkeys(asked)),
        host_checks=passthrough.host_checks(specs),
    )


def _requests(spec: nova_spec.RequestSpec) -> list[Passthrough]:
    pci = spec.pci_requests if "pci_requests" in spec else None
    groups = (
        spec.requested_resources if "requested_resources" in spec else None
    )
    return passthrough.of_requests(pci.requests if pci else (), groups or ())


def read_image(image: Any, holder: Holder = NOBODY) -> HardwareRequest:
    """Read a nova ImageMeta object; None where a guest has no image."""
    if image is None:
        return HardwareRequest()
    return image_of(image, holder).hardware()


def image_of(image: Any, holder: Holder) -> Image:
    """Return the Image of a Nova ImageMeta object."""
    known = "id" in image and image.id
    properties: dict[str, Any] = {}
    if "properties" in image:
        props = image.properties
        properties = {
            name: getattr(props, name)
            for name in image_reader.READ & props.fields.keys()
            # Nova sets only what the image has. ``get`` would give None for
            # the rest.
            if props.obj_attr_is_set(name)
        }
    disk_format = image.disk_format if "disk_format" in image else None
    return Image(properties, disk_format, IMAGE if known else VOLUME, holder)


def _extra_specs(flavor: Any) -> dict[str, str]:
    return flavor.extra_specs if "extra_specs" in flavor else {}


def operation(spec: nova_spec.RequestSpec) -> str:
    """Return the operation: BOOT, MOVE or REBUILD.

    A RequestSpec does not contain it. A rebuild is marked by a hint, and
    forced to the server's host. The hint alone may be a tenant's: releases of
    Nova before 31.3.1, 32.2.1 and 33.0.2 accept it with a boot, and it stays
    with the server. Only a move has a destination with a cell, or one that may
    be in another cell.
    """
    forced = "force_hosts" in spec and spec.force_hosts
    # Both, see above: taken for a rebuild, a boot would skip its own checks.
    if forced and nova_utils.request_is_rebuild(spec):
        return REBUILD
    target = (
        spec.requested_destination if "requested_destination" in spec else None
    )
    if target is None:
        return BOOT
    cell = target.cell if "cell" in target else None
    across = (
        target.allow_cross_cell_move
        if "allow_cross_cell_move" in target
        else False
    )
    return MOVE if cell or across else BOOT


def subject(spec: nova_spec.RequestSpec) -> Subject:
    """Return who asks.

    The caller's domain and roles count only when the caller's project is
    the server's: an admin who migrates a server lends it no exemption.
    """
    image = spec.image if "image" in spec else None
    flavor = spec.flavor
    asking = subject_of(
        operation(spec),
        spec._context,
        spec.project_id if "project_id" in spec else None,
        image.id if image is not None and "id" in image else None,
        Flavor(
            flavor.name if "name" in flavor else None,
            flavor.flavorid if "flavorid" in flavor else None,
        ),
    )
    server = spec.instance_uuid if "instance_uuid" in spec else None
    return replace(asking, server=server or "")
