# SPDX-License-Identifier: Apache-2.0
"""Nova's own schemas are found for every method that is judged."""

import pytest
from nova.api.openstack import wsgi

from nova_vhard.gates import nova_router, nova_routes, nova_schemas
from tests.fuzz import routers

#: What has no body.
BODILESS = ("delete",)


@pytest.mark.parametrize("legacy", [False, True], ids=["v2.1", "v2"])
def test_each_judged_method_has_a_schema(monkeypatch, legacy):
    found = {}
    for route in routers.nova(monkeypatch).matchlist:
        resource = route.defaults.get("controller")
        action = route.defaults.get("action")
        controller = getattr(resource, "controller", None)
        actions = getattr(resource, "wsgi_actions", {})
        for key in actions if action == "action" else (None,):
            method = (type(controller).__name__, action, key)
            if method not in nova_routes.ROUTES:
                continue
            function = actions[key] if key else getattr(controller, action)
            request = wsgi.Request.blank("/")
            if legacy:
                request.set_legacy_v2()
            request.set_api_version_request()
            found[method] = list(nova_schemas.schemas(function, request))
    assert found.keys() == nova_routes.ROUTES.keys()
    for method, schemas in found.items():
        assert schemas or method[1] in BODILESS, method


def test_the_router_knows_what_is_judged(monkeypatch):
    known = set(nova_router._methods(routers.nova(monkeypatch)))
    assert set(nova_routes.ROUTES) <= known
