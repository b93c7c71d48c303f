# SPDX-License-Identifier: Apache-2.0
"""The requests that are observed, each on a server that is there already."""

from collections.abc import Callable
from dataclasses import dataclass

import webob

from tests.functional.nova import helpers
from tests.release.oracle.cloud import Cloud
from tests.release.oracle.root import VIRTIO, Root

Request = Callable[[Cloud, str, Root], webob.Response]

#: A rescue image for a stable rescue, whose disk comes beside the others.
STABLE = {**VIRTIO, "hw_rescue_bus": "virtio", "hw_rescue_device": "disk"}


@dataclass(frozen=True)
class Operation:
    """One request about a server.

    :ivar request: sends it
    :ivar ends: statuses in which Nova has done it; ERROR is added
    :ivar prepare: brings the server to where the request makes sense
    """

    request: Request
    ends: tuple[str, ...] = ("ACTIVE",)
    prepare: Callable[[Cloud, str], None] | None = None


def _act(action: str, **body: object) -> Request:
    """Return an action of the owner's, whose body does not depend."""

    def send(cloud: Cloud, server: str, root: Root) -> webob.Response:
        return cloud.act(server, {action: body or None})

    return send


def _admin(action: str, body: object) -> Request:
    def send(cloud: Cloud, server: str, root: Root) -> webob.Response:
        return cloud.act(server, {action: body}, roles=helpers.ADMIN)

    return send


def boot(cloud: Cloud, root: Root) -> webob.Response:
    """Boot a server with a config drive and a network card."""
    server = {
        "name": "a server",
        "flavorRef": "1",
        "networks": [{"port": cloud.port()}],
        "config_drive": True,
        **root.body,
    }
    path = f"/{root.version}/servers"
    return cloud.call("POST", path, {"server": server})


def _rebuild(cloud: Cloud, server: str, root: Root) -> webob.Response:
    """With the image that it was made of, as it is now."""
    return cloud.act(server, {"rebuild": {"imageRef": root.image}})


def _rebuild_plain(cloud: Cloud, server: str, root: Root) -> webob.Response:
    """With another image, which says nothing about devices."""
    plain = cloud.image()
    return cloud.act(server, {"rebuild": {"imageRef": plain}})


def _rescue_with(**properties: str) -> Request:
    def send(cloud: Cloud, server: str, root: Root) -> webob.Response:
        image = cloud.image(**properties)
        return cloud.act(server, {"rescue": {"rescue_image_ref": image}})

    return send


def _attach_volume(cloud: Cloud, server: str, root: Root) -> webob.Response:
    path = f"/v2.1/servers/{server}/os-volume_attachments"
    body = {"volumeAttachment": {"volumeId": cloud.volume()}}
    return cloud.call("POST", path, body)


def _attach_port(cloud: Cloud, server: str, root: Root) -> webob.Response:
    path = f"/v2.1/servers/{server}/os-interface"
    body = {"interfaceAttachment": {"port_id": cloud.port()}}
    return cloud.call("POST", path, body)


def _shelve(cloud: Cloud, server: str) -> None:
    cloud.act(server, {"shelve": None})
    cloud.wait(server, "SHELVED_OFFLOADED")


BOOT = "boot"
MIGRATE_LIVE = {"host": None, "block_migration": "auto"}
OPERATIONS: dict[str, Operation] = {
    "rebuild": Operation(_rebuild),
    "rebuild-plain": Operation(_rebuild_plain),
    "rescue": Operation(_act("rescue"), ("RESCUE",), Cloud.home),
    "rescue-image": Operation(_rescue_with(**VIRTIO), ("RESCUE",), Cloud.home),
    "rescue-stable": Operation(
        _rescue_with(**STABLE), ("RESCUE",), Cloud.home
    ),
    "resize": Operation(_act("resize", flavorRef="2"), ("VERIFY_RESIZE",)),
    "unshelve": Operation(_act("unshelve"), prepare=_shelve),
    "attach-volume": Operation(_attach_volume),
    "attach-port": Operation(_attach_port),
    "evacuate": Operation(
        _admin("evacuate", {}),
        # From microversion 2.95 on Nova stops what it has evacuated.
        ("SHUTOFF",),
        prepare=Cloud.host_fails,
    ),
    "migrate-live": Operation(
        _admin("os-migrateLive", MIGRATE_LIVE), prepare=Cloud.home
    ),
    "migrate-cold": Operation(_admin("migrate", None), ("VERIFY_RESIZE",)),
    "create-image": Operation(_act("createImage", name="a snapshot")),
}
