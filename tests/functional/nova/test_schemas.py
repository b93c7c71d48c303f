# SPDX-License-Identifier: Apache-2.0
"""Nova's own schemas are found for every method that is judged."""

import copy

import pytest
from nova import exception
from nova.api import validation
from nova.api.openstack import wsgi
from nova.api.openstack.api_version_request import APIVersionRequest

from nova_vhard.gates import nova_router, nova_routes, nova_schemas
from tests import services
from tests.fuzz import routers

#: What has no body.
BODILESS = ("delete",)
#: The first Nova that keeps a method's schemas where they can be read.
KEPT = 32


@services.needs_nova(KEPT, "request_body_schemas of a method")
def test_each_judged_method_has_a_schema(monkeypatch):
    result = {}
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
            result[method] = hasattr(function, "request_body_schemas")
    assert result.keys() == nova_routes.ROUTES.keys()
    assert {method[1] for method, has in result.items() if not has} == set(
        BODILESS
    )


def test_the_router_knows_what_is_judged(monkeypatch):
    router = routers.nova(monkeypatch)
    assert set(nova_routes.ROUTES) <= set(nova_router._methods(router))


def named(**rules):
    """Return a schema of a body that has a name."""
    return {
        "type": "object",
        "properties": {"name": {"type": "string", **rules}},
        "additionalProperties": False,
    }


@validation.schema(named(), "2.0", "2.0")
@validation.schema(named(maxLength=2), "2.1", "2.9")
@validation.schema(named(maxLength=4), "2.10", "2.30")
def versioned(self, req, body):
    """Accept a body whose name may be longer in later versions."""


@validation.schema(named(maxLength=2))
def same(self, req, body):
    """Accept the same body in every version."""


def bare(self, req, body):
    """Accept any body: before Nova 32, every method appears to do so."""


@services.needs_nova(KEPT, "request_body_schemas of a method")
@pytest.mark.parametrize("function", [versioned, same, bare])
@pytest.mark.parametrize(
    "version", ["v2", "2.1", "2.9", "2.10", "2.30", "2.31"]
)
@pytest.mark.parametrize(
    "body",
    [
        *({"name": "a" * length} for length in (1, 3, 5)),
        {"name": "a", "more": 1},
        {"name": 1},
        [],
        None,
    ],
)
def test_a_body_is_left_as_nova_leaves_it(function, version, body):
    request = wsgi.Request.blank("/")
    number = "2.1" if version == "v2" else version
    request.api_version_request = APIVersionRequest(number)
    if version == "v2":
        request.set_legacy_v2()

    def outcome(take):
        given = copy.deepcopy(body)
        try:
            take(given)
        except exception.ValidationError as error:
            return str(error)
        return given

    novas = outcome(lambda given: function(None, request, body=given))
    for _ in range(2):
        ours = outcome(
            lambda given: nova_schemas.validate(function, request, given)
        )
        assert ours == novas
