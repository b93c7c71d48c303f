# SPDX-License-Identifier: Apache-2.0
"""Glance, Neutron and Cinder for the commands, on what Nova's fixtures keep.

Nova's fixtures are no HTTP services: these answer the few requests of the
audit in the services' shapes.
"""

from types import SimpleNamespace
from typing import Any
from unittest import mock

import glanceclient.exc
from openstack import exceptions as sdk

from tests.functional.nova import images
from tests.functional.nova.passthrough import cloud


def _answer(body: object, status: int = 200) -> SimpleNamespace:
    """Return an answer as requests has it."""
    nowhere = "http://nowhere"
    return SimpleNamespace(
        status_code=status,
        json=lambda: body,
        headers={"content-type": "application/json"},
        content=b"no such thing",
        reason="no such thing",
        text="no such thing",
        url=nowhere,
        request=SimpleNamespace(method="GET", url=nowhere),
    )


class Desk:
    """Glance, Neutron and Cinder, as the commands ask them.

    :ivar down: whether Glance and Neutron do not answer
    :ivar attached: volume id to pairs of server id and device name
    """

    def __init__(self, case: Any) -> None:
        self._case = case
        self.down = False
        self.attached: dict[str, list[tuple[str, str]]] = {}

    def images(self, url: str) -> tuple[None, dict[str, Any]]:
        """Return a page of glanceclient's images."""
        if self.down:
            raise glanceclient.exc.HTTPForbidden("not yours")
        hidden = "os_hidden=true" in url
        shown = [] if hidden else self._case.glance.images.values()
        images = [
            {**image, **image["properties"], "visibility": "public"}
            for image in shown
        ]
        return None, {"images": images}

    def image(self, image_id: str) -> dict[str, Any]:
        """Return an image, as glanceclient does."""
        return images.shown(self._case.glance, image_id)

    def ports(self, path: str, params: Any, **more: Any) -> SimpleNamespace:
        """Return the answer of openstacksdk's network proxy."""
        assert path == "/ports", path
        if self.down:
            raise sdk.SDKException("Neutron is down")
        ids = [value for name, value in params if name == "device_id"]
        fields = [value for name, value in params if name == "fields"]
        result = self._case.neutron.list_ports(is_admin=True)["ports"]
        ports = [
            {name: port[name] for name in fields if name in port}
            for port in result
            if port.get("device_id") in ids
        ]
        return _answer({"ports": ports})

    def volume(self, path: str, params: Any, **more: Any) -> SimpleNamespace:
        """Return the answer of openstacksdk's block storage proxy."""
        volume = path.rpartition("/")[2]
        if volume not in self._case.cinder.volumes:
            return _answer({}, 404)
        attachments = [
            {"server_id": server, "device": device}
            for server, device in self.attached.get(volume, ())
        ]
        shown = self._case.cinder.volumes[volume]
        return _answer({"volume": {**shown, "attachments": attachments}})


def app(case: Any) -> Any:
    """Return what a command is given of openstackclient.

    :param case: a test case of Nova's
    """
    made, desk = cloud.app(case), Desk(case)
    client = made.client_manager.vhard
    made.client_manager.vhard = SimpleNamespace(
        compute=client.compute,
        placement=client.placement,
        images=SimpleNamespace(
            http_client=SimpleNamespace(get=desk.images),
            get=mock.Mock(side_effect=desk.image),
        ),
        network=SimpleNamespace(get=mock.Mock(side_effect=desk.ports)),
        block_storage=SimpleNamespace(get=desk.volume),
        origin=client.origin,
    )
    made.desk, made.lines = desk, []
    made.stderr = SimpleNamespace(write=made.lines.append)
    return made
