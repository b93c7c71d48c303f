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

from nova_vhard.placement.client import Placement
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


class Images:
    """glanceclient's images."""

    def __init__(self, glance: Any) -> None:
        self._glance = glance
        self.asked: list[str] = []
        self.down = False

    @property
    def http_client(self) -> SimpleNamespace:
        """Return what reads pages of images."""
        return SimpleNamespace(get=self._page)

    def _page(self, url: str) -> tuple[None, dict[str, Any]]:
        if self.down:
            raise glanceclient.exc.HTTPForbidden("not yours")
        hidden = "os_hidden=true" in url
        shown = [] if hidden else self._glance.images.values()
        images = [
            {**image, **image["properties"], "visibility": "public"}
            for image in shown
        ]
        return None, {"images": images}

    def get(self, image_id: str) -> dict[str, Any]:
        self.asked.append(image_id)
        return images.shown(self._glance, image_id)


class Network:
    """openstacksdk's network proxy."""

    def __init__(self, neutron: Any) -> None:
        self._neutron = neutron
        self.asked: list[list[tuple[str, str]]] = []
        self.down = False

    def get(self, path: str, params: Any, **more: Any) -> SimpleNamespace:
        assert path == "/ports", path
        self.asked.append(params)
        if self.down:
            raise sdk.SDKException("Neutron is down")
        ids = [value for name, value in params if name == "device_id"]
        fields = [value for name, value in params if name == "fields"]
        result = self._neutron.list_ports(is_admin=True)["ports"]
        ports = [
            {name: port[name] for name in fields if name in port}
            for port in result
            if port.get("device_id") in ids
        ]
        return _answer({"ports": ports})


class BlockStorage:
    """openstacksdk's block storage proxy.

    :ivar attached: volume id to pairs of server id and device name
    """

    def __init__(self, cinder: Any) -> None:
        self._cinder = cinder
        self.attached: dict[str, list[tuple[str, str]]] = {}
        self.asked: list[str] = []

    def get(self, path: str, params: Any, **more: Any) -> SimpleNamespace:
        self.asked.append(path)
        volume = path.rpartition("/")[2]
        if volume not in self._cinder.volumes:
            return _answer({}, 404)
        shown = dict(self._cinder.volumes[volume])
        shown["attachments"] = [
            {"server_id": server, "device": device}
            for server, device in self.attached.get(volume, ())
        ]
        return _answer({"volume": shown})


def app(case: Any) -> Any:
    """Return what a command is given of openstackclient.

    :param case: a test case of Nova's
    """
    made = cloud.app(case)
    client = made.client_manager.vhard
    made.client_manager.vhard = SimpleNamespace(
        compute=client.compute,
        placement=client.placement,
        images=Images(case.glance),
        network=Network(case.neutron),
        block_storage=BlockStorage(case.cinder),
        origin=client.origin,
    )
    made.lines = []
    made.stderr = SimpleNamespace(write=made.lines.append)
    return made


def placement_down() -> Placement:
    """Return a Placement that gives no answer."""
    get = mock.Mock(side_effect=ConnectionError("no answer"))
    return Placement(SimpleNamespace(get=get))
