# SPDX-License-Identifier: Apache-2.0
"""The application that a paste filter wraps, down to its router."""

from collections.abc import Callable, Iterator
from typing import Any

#: Attributes in which middleware keeps the application that it wraps: those
#: of webob and oslo.middleware first.
_BEHIND = ("application", "app", "_application", "_app", "wrapped")
# Middleware that refers to itself must not hang the start. Real pipelines have
# about a dozen.
_MOST = 64


class NoRouter(Exception):
    """Raised if the gate does not wrap a router.

    The service then does not start: a gate that cannot tell what a request
    means would let it pass.
    """


class Malformed(Exception):
    """Raised when the body of a request cannot be read."""


class Unroutable(Exception):
    """Raised when the service's own router fails at a request."""


def wrapped(application: Any) -> Iterator[Any]:
    """Yield an application and all applications that it wraps, in order."""
    for _ in range(_MOST):
        yield application
        result = (getattr(application, name, None) for name in _BEHIND)
        # The first that can be called: middleware also keeps names and options
        # under these words.
        application = next((app for app in result if callable(app)), None)
        if application is None:
            return


def find(
    application: Any, wanted: Callable[[Any], bool], service: str, place: str
) -> tuple[Any, list[Any]]:
    """Return the first matching application, and those that wrap it.

    :param wanted: returns True for the application to find
    :param service: name of the service, for the error message
    :param place: where the filter belongs, for the error message
    :raises NoRouter: if no application matches
    """
    passed: list[Any] = []
    for candidate in wrapped(application):
        if wanted(candidate):
            return candidate, passed
        passed.append(candidate)
    names = ", ".join(type(candidate).__name__ for candidate in passed)
    raise NoRouter(
        f"no router of {service} comes after the filter vhard in this "
        f"pipeline (found: {names}): {place}"
    )
