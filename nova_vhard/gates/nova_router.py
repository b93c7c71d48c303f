# SPDX-License-Identifier: Apache-2.0
"""Meaning of a request to Nova, read from Nova's own router and schemas.

Nothing here parses a path or chooses a microversion: the router finds the
controller, its Resource finds the method and the content of the body, and the
method's own decorators decide which parts of the body are valid.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from nova import exception
from nova.api import openstack
from nova.api.openstack import wsgi

from nova_vhard.gates import http, nova_schemas, routing
from nova_vhard.gates.http import Environ
from nova_vhard.gates.nova_schemas import NotAccepted

#: Class of the controller, its method, and the action in the body, if any.
Method = tuple[str, str, str | None]

# Exceptions that Nova answers with a 4xx before it calls a controller.
# For any other exception the gate answers 503. A request that is passed on
# instead would bypass the gate as soon as a Nova release can handle it.
_REFUSED = (
    exception.InvalidAPIVersionString,
    exception.InvalidGlobalAPIVersion,
    exception.InvalidContentType,
    exception.MalformedRequestBody,
    exception.ValidationError,
)

_PLACE = (
    "in api-paste.ini the line filter-with = vhard belongs in "
    "[app:osapi_compute_app_v21]"
)


@dataclass(frozen=True)
class Call:
    """A request, and the method that Nova calls for it.

    :ivar method: what it is, to be looked up in a table
    :ivar ids: the variables in the path, without the project
    :ivar request: a Nova Request with its microversion set
    """

    method: Method
    ids: dict[str, str]
    request: Any = field(repr=False)
    _content: bytes = field(repr=False)
    _resource: Any = field(repr=False)
    _function: Any = field(repr=False)

    def body(self) -> Any:
        """Return the body, validated by Nova's own schemas if there are any.

        :raises NotAccepted: if Nova rejects the body
        :raises nova_vhard.gates.routing.Malformed: if it is nested too deeply
        """
        try:
            # Nova takes a body of length 0, or without a length, for None. Ask
            # its function, so that it is None here as well.
            request_content = self._resource._get_request_content(
                self._content, self.request
            )
            body = request_content.get("body")
            nova_schemas.validate(self._function, self.request, body)
        except _REFUSED as error:
            raise NotAccepted(str(error)) from error
        except RecursionError as error:
            raise routing.Malformed(str(error)) from error
        return body


class Router:
    """Nova's router, as the gate wraps it.

    :param application: the application that the gate wraps
    :param judged: the methods that are checked
    :raises nova_vhard.gates.routing.NoRouter: if there is no router, or it
        lacks a method that is checked: Nova may have renamed the method
    """

    def __init__(self, application: Any, judged: Collection[Method]) -> None:
        self._judged = {method[:2] for method in judged}
        # Nova's pipelines end in one APIRouterV21. Its ``map`` is the Routes
        # mapper that the request meets next.
        router, passed = routing.find(
            application, lambda app: hasattr(app, "map"), "Nova's API", _PLACE
        )
        self._map = router.map
        # A method that this Nova lacks would be a request that nobody judges.
        # It is an error at the start, not a silent gap.
        lacking = sorted(map(str, set(judged) - set(_methods(router.map))))
        if lacking:
            text = f"this Nova has no {', '.join(lacking)}; see the releases"
            raise routing.NoRouter(f"{text} that nova-vhard supports")
        # Only where a pipeline names the gate: /v2's wrapper is then behind.
        self._legacy = any(
            isinstance(app, openstack.LegacyV2CompatibleWrapper)
            for app in passed
        )

    def call(self, environ: Environ) -> Call | None:
        """Return the controller method that Nova would call for a request.

        :param environ: WSGI environment; the body is buffered in it
        :returns: None if the gate does not check the request
        :raises NotAccepted: if Nova rejects the request with a 4xx
        :raises nova_vhard.gates.routing.Malformed: if the body is truncated or
            nested too deeply
        """
        # Not a pattern of our own: Routes also accepts a path with a newline
        # at its end (bypass 32).
        result = self._map.routematch(environ["PATH_INFO"], environ)
        if result is None:
            return None
        match = dict(result[0])
        resource = match.pop("controller", None)
        action = match.pop("action", None)
        # Before the body is read: a request that is not judged must not be
        # buffered here.
        name = self._judged_class(resource, action)
        if name is None:
            return None
        context = environ.get("nova.context")
        project = match.pop("project_id", None)
        # Nova answers 400 to this (``_process_stack``). An answer of the gate
        # could tell a stranger something about the policy.
        if context and project not in (None, context.project_id):
            raise NotAccepted("another project in the path")
        # Read the body once, so that Nova reads the very same bytes.
        request = wsgi.Request(environ)
        length = request.content_length
        try:
            if length and length > 0 and not request.is_body_seekable:
                http.read_body(environ, length)
            else:
                request.body  # noqa: B018 - webob keeps what it has read
        except OSError as error:
            raise routing.Malformed(str(error)) from error
        request = self._request(environ)
        try:
            # Before ``get_method``: the schemas depend on the microversion,
            # and in older releases so does the method.
            request.set_api_version_request()
            kind, content = resource.get_body(request)
        except _REFUSED as error:
            raise NotAccepted(str(error)) from error
        try:
            function = resource.get_method(request, action, kind, content)
        except (AttributeError, TypeError, KeyError, *_REFUSED) as error:
            # Nova itself takes these for an action that it does not know.
            raise NotAccepted(str(error)) from error
        except RecursionError as error:
            raise routing.Malformed(str(error)) from error
        # Nova's own peek accepts a body with exactly one key. A second action
        # next to a judged one is therefore an error in Nova, not a way past
        # the gate.
        key = wsgi.action_peek(content) if action == "action" else None
        method = (name, action, key)
        return Call(method, match, request, content, resource, function)

    def _judged_class(self, resource: Any, action: Any) -> str | None:
        """Return the judged class that a controller is of.

        Nova derives controllers from one another, such as that of
        os-volumes_boot.
        """
        controller = getattr(resource, "controller", None)
        names = (base.__name__ for base in type(controller).__mro__)
        judged = (name for name in names if (name, action) in self._judged)
        return next(judged, None)

    def _request(self, environ: Environ) -> Any:
        """Return the request as the application behind the gate sees it."""
        if not self._legacy:
            return wsgi.Request(environ)
        # A copy: the wrapper, which is behind the gate here, makes these
        # changes itself.
        request = wsgi.Request(dict(environ))
        request.set_legacy_v2()
        for name in (
            wsgi.API_VERSION_REQUEST_HEADER,
            wsgi.LEGACY_API_VERSION_REQUEST_HEADER,
        ):
            request.headers.pop(name, None)
        return request


def _methods(mapper: Any) -> Iterator[Method]:
    """Yield the methods that a router knows."""
    for route in mapper.matchlist:
        resource = route.defaults.get("controller")
        controller = type(getattr(resource, "controller", None)).__name__
        action = route.defaults.get("action")
        names = getattr(resource, "wsgi_actions", ())
        for key in names if action == "action" else (None,):
            yield controller, action, key
