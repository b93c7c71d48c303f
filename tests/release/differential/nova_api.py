# SPDX-License-Identifier: Apache-2.0
"""Nova's API as far as a controller's own function, in which it stops.

Router, Resource and the decorators of a method are Nova's own. What would
come to the method is raised in its place.
"""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import webob
from nova import context
from nova.api import openstack

from nova_vhard.gates.nova_router import Method, Router
from nova_vhard.gates.nova_routes import ROUTES
from tests.fuzz import routers, service

PROJECT = "project"


class Reached(BaseException):
    """Raised where Nova has taken a request; no handler of Nova's stops it.

    :ivar name: name of the function
    :ivar reached: what it was called with, or what Nova has looked up
    """

    def __init__(self, name: str, result: Any) -> None:
        super().__init__(name)
        self.name, self.reached = name, result


def _reached(_self: Any, req: Any, *_: Any, **arguments: Any) -> None:
    """Stand in a controller's function, whose globals are not these."""
    import sys

    from tests.release.differential import nova_api

    raise nova_api.Reached(sys._getframe().f_code.co_name, arguments)


class NovaApi:
    """Nova's API, v2.1 and v2, and the gate's routers of the same two.

    :ivar names: judged methods to the names of their functions
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self.current = routers.nova_application(patch)
        legacy = openstack.LegacyV2CompatibleWrapper(self.current)
        self._applications = (self.current, legacy)
        self.routers = [Router(each, ROUTES) for each in self._applications]

    def status(self, environ: dict[str, Any], legacy: bool) -> int:
        """Return the status that Nova answers.

        :raises Reached: where it takes the request
        """
        try:
            answer = webob.Request(environ).get_response(
                self._applications[legacy]
            )
        except Exception:
            # as the middleware before it answers
            return 500
        return int(answer.status_int)

    def stop_in_methods(self) -> None:
        """Let every judged method raise its arguments."""
        self.names: dict[Method, str] = {}
        for method, decorated in self._judged():
            function = inspect.unwrap(decorated)
            function = getattr(function, "__func__", function)
            self.names[method] = function.__name__
            self._patch.setattr(
                function,
                "__code__",
                _reached.__code__.replace(co_name=function.__name__),
            )

    def resources(self) -> Iterator[tuple[Any, Any, str]]:
        """Yield resource, controller and action of each route."""
        for route in self.current.map.matchlist:
            resource = route.defaults.get("controller")
            controller = getattr(resource, "controller", None)
            yield resource, controller, route.defaults.get("action")

    def _judged(self) -> Iterator[tuple[Method, Any]]:
        for resource, controller, action in self.resources():
            name = type(controller).__name__
            if action == "action":
                for key, function in resource.wsgi_actions.items():
                    if (name, action, key) in ROUTES:
                        yield (name, action, key), function
            elif (name, action, None) in ROUTES:
                yield (name, action, None), getattr(controller, action)


def sent(environ: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Return a request of that user, whose body is still to be read."""
    return service.sent(environ, body) | {"nova.context": user()}


def user() -> Any:
    """Return the context of a user who may do everything."""
    result = context.RequestContext("user", PROJECT, is_admin=True)
    result.can = lambda *_, **__: True
    return result
