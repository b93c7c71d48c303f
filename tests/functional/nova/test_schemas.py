# SPDX-License-Identifier: Apache-2.0
"""Nova's own schemas are found for every method that is judged."""

import copy
import functools
from types import SimpleNamespace

import pytest
from nova import exception
from nova.api import validation
from nova.api.openstack import wsgi
from nova.api.openstack.api_version_request import APIVersionRequest

from nova_vhard.gates import nova_router, nova_routes, nova_schemas
from tests.fuzz import routers

#: What has no body.
BODILESS = ("delete",)


@pytest.mark.parametrize("legacy", [False, True], ids=["v2.1", "v2"])
def test_each_judged_method_has_a_schema(monkeypatch, legacy):
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
            request = wsgi.Request.blank("/")
            if legacy:
                request.set_legacy_v2()
            request.set_api_version_request()
            result[method] = list(nova_schemas.schemas(function, request))
    assert result.keys() == nova_routes.ROUTES.keys()
    for method, schemas in result.items():
        assert schemas or method[1] in BODILESS, method


def test_the_router_knows_what_is_judged(monkeypatch):
    known = set(nova_router._methods(routers.nova(monkeypatch)))
    assert set(nova_routes.ROUTES) <= known


OLD, NEW = {"title": "old"}, {"title": "new"}


def asked_in(version):
    """Return a request of a microversion."""
    request = wsgi.Request.blank("/")
    request.api_version_request = APIVersionRequest(version)
    return request


@validation.schema(OLD)
def old(self, req, body):
    """Take a body up to 2.9."""


@validation.schema(NEW, "2.10", "2.30")
def new(self, req, body):
    """Take a body up to 2.30."""


def of_nova_31():
    """Return what Nova 31's controllers have for a method of two versions."""
    key = "create"
    self = SimpleNamespace(
        versioned_methods={
            key: [
                SimpleNamespace(
                    start_version=APIVersionRequest(least),
                    end_version=APIVersionRequest(most),
                    func=function,
                )
                for least, most, function in (
                    ("2.10", "2.30", new),
                    ("2.1", "2.9", old),
                )
            ]
        }
    )

    def version_select(*args, **kwargs):
        return self.versioned_methods[key]

    return version_select


@pytest.mark.parametrize(
    ("version", "schema"),
    [
        ("2.1", (OLD, (None, None))),
        ("2.9", (OLD, (None, None))),
        ("2.10", (NEW, ("2.10", "2.30"))),
        ("2.30", (NEW, ("2.10", "2.30"))),
    ],
)
def test_one_of_two_versions_in_nova_31(version, schema):
    request = asked_in(version)
    assert list(nova_schemas.schemas(of_nova_31(), request)) == [schema]


def bounded(least, most):
    """Return what later Novas have for a method of some versions."""

    @functools.wraps(new)
    def wrapped(*args, **kwargs):
        return new(*args, **kwargs)

    wrapped.min_version, wrapped.max_version = least, most
    return wrapped


@pytest.mark.parametrize(
    ("function", "version"),
    [
        (of_nova_31(), "2.31"),
        (bounded("2.10", "2.30"), "2.9"),
        (bounded("2.10", "2.30"), "2.31"),
        (bounded(None, "2.30"), "2.31"),
        (bounded("2.10", None), "2.9"),
    ],
    ids=["nova31", "before", "after", "only_most", "only_least"],
)
def test_a_method_that_is_not_of_the_version(function, version):
    with pytest.raises(nova_schemas.NotAccepted) as raised:
        list(nova_schemas.schemas(function, asked_in(version)))
    assert str(raised.value) == "not in this microversion"


@pytest.mark.parametrize(
    ("least", "most"), [("2.10", "2.30"), (None, "2.30"), ("2.10", None)]
)
def test_a_method_that_is_of_the_version(least, most):
    request = asked_in("2.20")
    schemas = nova_schemas.schemas(bounded(least, most), request)
    assert list(schemas) == [(NEW, ("2.10", "2.30"))]


@pytest.mark.parametrize("named", [False, True])
def test_a_decorator_that_makes_no_function(named):
    """What it keeps is not known; what it wraps is."""
    made = functools.partial(new)
    assigned = functools.WRAPPER_ASSIGNMENTS if named else ()
    functools.update_wrapper(made, new, assigned)
    schemas = nova_schemas.schemas(made, asked_in("2.20"))
    assert list(schemas) == [(NEW, ("2.10", "2.30"))]


STRICT = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "additionalProperties": False,
}


@validation.schema(STRICT)
def strict(self, req, body):
    """Return what is left of a body."""
    return body


@pytest.mark.parametrize("legacy", [False, True], ids=["v2.1", "v2"])
@pytest.mark.parametrize(
    "body", [{"name": "a"}, {"name": "a", "more": 1}, {"name": 1}, [], None]
)
def test_a_body_is_left_as_nova_leaves_it(legacy, body):
    request = asked_in("2.1")
    if legacy:
        request.set_legacy_v2()

    def outcome(take):
        given = copy.deepcopy(body)
        try:
            take(given)
        except exception.ValidationError as error:
            return str(error)
        return given

    novas = outcome(lambda given: strict(None, request, body=given))
    for _ in range(2):
        ours = outcome(
            lambda given: nova_schemas.validate(strict, request, given)
        )
        assert ours == novas


def test_each_microversion_has_its_own_validators():
    def titles(version, legacy):
        return [
            validator.validator.schema
            for validator in nova_schemas._validators(both, version, legacy)
        ]

    @validation.schema(OLD, "2.1", "2.9")
    @validation.schema(NEW, "2.10", "2.30")
    def both(self, req, body):
        """Take a body."""

    assert titles("2.9", False) == [OLD]
    assert titles("2.10", False) == [NEW]
    assert titles("2.31", False) == []
