# SPDX-License-Identifier: Apache-2.0
"""Generated servers: how each was booted, and what has changed since."""

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as some

from nova_vhard.policy.model import Assume
from tests.release.differential import block_devices, choices, clouds
from tests.release.differential.cloud import Cloud
from tests.release.differential.values import (
    RESCUE_IMAGE,
    ROOT_IMAGE,
    ROOT_VOLUME,
    SNAPSHOT,
)

REBOOT, REBUILD, UNSHELVE, RESCUE = "reboot", "rebuild", "unshelve", "rescue"

#: What a row of the database can lack, or say oddly.
EDITS: tuple[dict[str, str | None], ...] = (
    *({},) * 9,
    {"disk_bus": None},
    {"device_type": None},
    {"disk_bus": None, "device_type": None},
    {"device_name": None},
    {"disk_bus": None, "device_name": None},
    {"disk_bus": "xen"},
    {"disk_bus": ""},
    {"device_type": "fs"},
)
_ROOTS = (
    *(block_devices.ROOT,) * 4,
    *(
        {
            "source_type": kind,
            "destination_type": "volume",
            "uuid": name,
            "volume_size": 1,
            "boot_index": 0,
        }
        for kind, name in (
            ("volume", ROOT_VOLUME),
            ("snapshot", SNAPSHOT),
            ("image", ROOT_IMAGE),
        )
    ),
)


@dataclass(frozen=True)
class Server:
    """A server, and what is done with it.

    :ivar guest: how it was booted
    :ivar volume_backed: whether its root is a volume
    :ivar edits: what its rows have become, in their order
    :ivar attached: how many volumes were attached since
    :ivar connected: whether its volumes have connection information
    :ivar host: the settings of its host now
    :ivar cloud: what is in Glance and Cinder now
    :ivar operation: REBOOT, REBUILD, UNSHELVE or RESCUE
    :ivar rescue_image: id of the image to rescue with, None for none
    """

    guest: choices.Guest
    volume_backed: bool
    edits: tuple[dict[str, str | None], ...]
    attached: int
    connected: bool
    host: Assume
    cloud: Cloud
    operation: str
    rescue_image: str | None


@some.composite
def servers(draw: Any) -> Server:
    """Give a server."""
    root = draw(some.sampled_from(_ROOTS))
    devices = draw(block_devices.devices(root))
    guest = replace(draw(choices.guests()), devices=devices, specs={})
    if root is not block_devices.ROOT:
        # Cinder keeps text, which Nova does not read as block devices
        guest = replace(guest, properties=draw(choices.properties()))
    booted = {
        "properties": guest.properties,
        "disk_format": guest.disk_format,
    }
    host = draw(some.one_of(some.just(guest.host), choices.hosts()))
    return Server(
        guest=guest,
        volume_backed=root is not block_devices.ROOT,
        edits=tuple(draw(some.sampled_from(EDITS)) for _ in range(3)),
        attached=draw(some.sampled_from((0, 0, 1, 2))),
        connected=draw(some.integers(0, 9)) > 0,
        host=host,
        cloud=draw(clouds.clouds(booted)),
        operation=draw(
            some.sampled_from((REBOOT, REBUILD, UNSHELVE, *(RESCUE,) * 3))
        ),
        rescue_image=draw(some.sampled_from((*(RESCUE_IMAGE,) * 4, None))),
    )
