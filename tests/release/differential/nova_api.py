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
from tests.fuzz import routers

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
    """Nova's API, v2.1 and v2, and the gate's routers of the same two."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self.current = routers.nova_application(patch)
        self.legacy = openstack.LegacyV2CompatibleWrapper(self.current)
        self.routers = {
            legacy: Router(self.application(legacy), ROUTES)
            for legacy in (False, True)
        }

    def application(self, legacy: bool) -> Any:
        """Return one of the two."""
        return self.legacy if legacy else self.current

    def status(self, environ: dict[str, Any], legacy: bool) -> int:
        """Return the status that Nova answers.

        :raises Reached: where it takes the request
        """
        request = webob.Request(environ)
        try:
            answer = request.get_response(self.application(legacy))
        except Exception:
            # as the middleware before it answers
            return 500
        return int(answer.status_int)

    def stop_in_methods(self) -> dict[Method, str]:
        """Let every judged method raise what it is called with.

        :returns: the names of their functions
        """
        names: dict[Method, str] = {}
        for method, decorated in self._judged():
            function = inspect.unwrap(decorated)
            function = getattr(function, "__func__", function)
            names[method] = function.__name__
            code = _reached.__code__.replace(co_name=function.__name__)
            self._patch.setattr(function, "__code__", code)
        return names

    def _judged(self) -> Iterator[tuple[Method, Any]]:
        for route in self.current.map.matchlist:
            resource = route.defaults.get("controller")
            action = route.defaults.get("action")
            controller = getattr(resource, "controller", None)
            name = type(controller).__name__
            if action == "action":
                for key, function in resource.wsgi_actions.items():
                    if (name, action, key) in ROUTES:
                        yield (name, action, key), function
            elif (name, action, None) in ROUTES:
                for function in _versions(controller, action):
                    yield (name, action, None), function


def _versions(controller: Any, name: str) -> list[Any]:
    """Return a method; Nova 31 may have several, by microversion."""
    versioned = getattr(controller, "versioned_methods", None) or {}
    result = [method.func for method in versioned.get(name, ())]
    return result or [getattr(controller, name)]


def user() -> Any:
    """Return the context of a user who may do everything."""
    result = context.RequestContext("user", PROJECT, is_admin=True)
    result.can = lambda *_, **__: True
    return result
