# SPDX-License-Identifier: Apache-2.0
"""The requests that are observed, each on a server that is there already."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import webob

from tests.functional.nova import helpers
from tests.release.oracle.cloud import Cloud
from tests.release.oracle.roots import VIRTIO, Root, filled

#: A rescue image for a stable rescue, whose disk comes beside the others.
STABLE = {**VIRTIO, "hw_rescue_bus": "virtio", "hw_rescue_device": "disk"}


@dataclass(frozen=True)
class Operation:
    """One request about a server.

    :ivar body: with names for ids: OWN is the image that the server was made
        of, as it is now; IMAGE, VOLUME and PORT are new
    :ivar ends: statuses in which Nova has done it; ERROR is added
    :ivar prepare: brings the server to where the request makes sense
    :ivar path: under the server's
    :ivar says: properties of the new image
    """

    body: dict[str, Any]
    ends: tuple[str, ...] = ("ACTIVE",)
    prepare: Callable[[Cloud, str], None] | None = None
    path: str = "action"
    says: dict[str, str] = field(default_factory=dict)
    roles: tuple[str, ...] = helpers.MEMBER

    def send(self, cloud: Cloud, server: str, root: Root) -> webob.Response:
        """Send it."""
        body = filled(
            self.body,
            OWN=lambda: root.image,
            IMAGE=lambda: cloud.image(**self.says),
            VOLUME=cloud.volume,
            PORT=cloud.port,
        )
        path = f"/v2.1/servers/{server}/{self.path}"
        return cloud.call("POST", path, body, roles=self.roles)


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


def _shelve(cloud: Cloud, server: str) -> None:
    cloud.act(server, {"shelve": None})
    cloud.wait(server, "SHELVED_OFFLOADED")


BOOT = "boot"
RESCUE = {"rescue": {"rescue_image_ref": "IMAGE"}}
LIVE = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
OPERATIONS: dict[str, Operation] = {
    "rebuild": Operation({"rebuild": {"imageRef": "OWN"}}),
    # with another image, which says nothing about devices
    "rebuild-plain": Operation({"rebuild": {"imageRef": "IMAGE"}}),
    "rescue": Operation({"rescue": None}, ("RESCUE",), Cloud.home),
    "rescue-image": Operation(RESCUE, ("RESCUE",), Cloud.home, says=VIRTIO),
    "rescue-stable": Operation(RESCUE, ("RESCUE",), Cloud.home, says=STABLE),
    "resize": Operation({"resize": {"flavorRef": "2"}}, ("VERIFY_RESIZE",)),
    "unshelve": Operation({"unshelve": None}, prepare=_shelve),
    "attach-volume": Operation(
        {"volumeAttachment": {"volumeId": "VOLUME"}},
        path="os-volume_attachments",
    ),
    "attach-port": Operation(
        {"interfaceAttachment": {"port_id": "PORT"}}, path="os-interface"
    ),
    "evacuate": Operation(
        {"evacuate": {}},
        # From microversion 2.95 on Nova stops what it has evacuated.
        ("SHUTOFF",),
        Cloud.host_fails,
        roles=helpers.ADMIN,
    ),
    "migrate-live": Operation(LIVE, prepare=Cloud.home, roles=helpers.ADMIN),
    "migrate-cold": Operation(
        {"migrate": None}, ("VERIFY_RESIZE",), roles=helpers.ADMIN
    ),
    "create-image": Operation({"createImage": {"name": "a snapshot"}}),
}
