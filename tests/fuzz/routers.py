# SPDX-License-Identifier: Apache-2.0
"""The services' own routers, without the services."""

from types import SimpleNamespace
from typing import Any

import pytest
from glance.api.v2 import images
from glance.api.v2 import router as glance_router
from glance.common import wsgi
from nova import rpc
from nova.api.openstack.compute import routes


def nova(patch: pytest.MonkeyPatch) -> Any:
    """Return the map of Nova's router; its controllers reach nobody."""
    return nova_application(patch).map


def nova_application(patch: pytest.MonkeyPatch) -> Any:
    """Return Nova's router itself, which answers requests."""
    for name in ("get_client", "get_notifier"):
        patch.setattr(rpc, name, lambda *_, **__: SimpleNamespace())
    return routes.APIRouterV21()


def glance(**properties: str) -> list[tuple[tuple[None, str], Any]]:
    """Return what Glance's urlmap has, as far as the gate looks.

    :param properties: of the one image, which is always there
    """
    image = SimpleNamespace(
        owner="project", disk_format=None, extra_properties=properties
    )
    gateway = SimpleNamespace(
        get_repo=lambda _: SimpleNamespace(get=lambda _: image)
    )
    router = glance_router.API(wsgi.APIMapper())
    for route in router.map.matchlist:
        resource = route.defaults.get("controller")
        if isinstance(
            controller := getattr(resource, "controller", None),
            images.ImagesController,
        ):
            controller.gateway = gateway
    return [((None, "/v2"), router)]
