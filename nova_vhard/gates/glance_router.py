# SPDX-License-Identifier: Apache-2.0
"""Meaning of a request to Glance, read from Glance's own routers.

A twin of Glance's urlmap gets a copy of the request and notes which
application would handle it; that application's router returns the rest.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from paste import urlmap

from nova_vhard.gates import routing
from nova_vhard.gates.http import Environ

#: Class of the controller, and its method.
Method = tuple[str, str]

_PLACE = (
    "in glance-api-paste.ini the line filter-with = vhard belongs in "
    "[composite:rootapp]"
)

_FOUND = "vhard.application"


@dataclass(frozen=True)
class Call:
    """A request, and the method that Glance calls for it.

    :ivar ids: the variables in the path
    :ivar controller: Glance's own object, whose method it is
    """

    method: Method
    ids: dict[str, str]
    controller: Any = field(default=None, compare=False)


class _Recorder:
    """Entry of a urlmap that records that its application was chosen."""

    def __init__(self, application: Any) -> None:
        self._application = application

    def __call__(self, environ: Environ, _start: Any) -> list[bytes]:
        environ[_FOUND] = self._application
        return []


class Router:
    """Glance's routers, as the gate wraps them.

    :param application: the application that the gate wraps
    :param judged: the methods that are checked
    :raises nova_vhard.gates.routing.NoRouter: if there is no router, or none
        with these methods
    """

    def __init__(self, application: Any, judged: Collection[Method]) -> None:
        self._judged = frozenset(judged)
        # A router has ``map`` (Routes), a paste urlmap has ``applications``.
        # Look for the attribute, not the class: the root of a deployment may
        # be any subclass or a wrapper.
        first, _ = routing.find(
            application,
            lambda app: hasattr(app, "map") or hasattr(app, "applications"),
            "Glance's API",
            _PLACE,
        )
        if hasattr(first, "map"):
            self._twin, listed = None, [first]
            self._only = first
        else:
            listed = [app for _, app in first.applications]
            # Paste's own matching: slashes, hosts and the order of prefixes
            # need not be written again here. Glance's urlmap itself is never
            # called or changed.
            self._twin = urlmap.URLMap(not_found_app=_Recorder(None))
            # Assigned, not added one by one: ``__setitem__`` would sort again,
            # and the order must be the one that Glance uses.
            self._twin.applications = [
                (place, _Recorder(app)) for place, app in first.applications
            ]
        # The map of the router behind each application, or None. By identity:
        # applications need not be hashable. The urlmap holds them, so that no
        # id is given to another object.
        self._maps = {
            id(app): next(
                (
                    each.map
                    for each in routing.wrapped(app)
                    if hasattr(each, "map")
                ),
                None,
            )
            for app in listed
        }
        known = {
            method
            for mapper in filter(None, self._maps.values())
            for method in _methods(mapper)
        }
        lacking = sorted(map(str, self._judged - known))
        # Do not start. A release that renames a method would otherwise pass
        # every such request without a judgement.
        if lacking:
            text = f"this Glance has no {', '.join(lacking)}; see the releases"
            raise routing.NoRouter(f"{text} that nova-vhard supports")

    def call(self, environ: Environ) -> Call | None:
        """Return the controller method that Glance would call for a request.

        :returns: None if the gate does not check the request
        :raises nova_vhard.gates.routing.Unroutable: where Glance would fail
        """
        # Both the urlmap and Routes write into the environ (SCRIPT_NAME,
        # PATH_INFO, routing_args). Glance must get the one that it would get
        # without a gate.
        copied = dict(environ)
        application = self._application(copied)
        # None for an application without a router, such as the list of API
        # versions, and for a path that no application has.
        mapper = self._maps.get(id(application))
        if mapper is None:
            return None
        result = mapper.routematch(copied["PATH_INFO"], copied)
        if result is None:
            return None
        match = dict(result[0])
        controller = getattr(match.pop("controller", None), "controller", None)
        method = (type(controller).__name__, match.pop("action", ""))
        return (
            Call(method, match, controller) if method in self._judged else None
        )

    def _application(self, environ: Environ) -> Any:
        """Return where a request goes; its environ is changed likewise."""
        if self._twin is None:
            return self._only
        try:
            # A recorder begins no answer.
            self._twin(environ, None)
        except AssertionError as error:
            # of a path that does not begin with a slash
            raise routing.Unroutable(str(error)) from error
        return environ.get(_FOUND)


def _methods(mapper: Any) -> Iterator[Method]:
    """Yield the methods that a router leads to."""
    for route in mapper.matchlist:
        resource = route.defaults.get("controller")
        controller = getattr(resource, "controller", None)
        yield type(controller).__name__, str(route.defaults.get("action"))
