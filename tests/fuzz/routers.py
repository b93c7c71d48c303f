# SPDX-License-Identifier: Apache-2.0
"""The services' own routers, without the services."""

from types import SimpleNamespace
from typing import Any

import pytest
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


def glance() -> list[tuple[tuple[None, str], Any]]:
    """Return what Glance's urlmap has, as far as the gate looks."""
    router = glance_router.API(wsgi.APIMapper())
    return [((None, "/v2"), router)]
