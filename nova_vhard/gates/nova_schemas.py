# SPDX-License-Identifier: Apache-2.0
"""What of a body is valid to Nova, asked of a method's own decorators.

They keep the schemas, each with its microversions; Nova's own helper chooses
among them, and Nova's own validator strips what the v2 API lets pass. Nova
makes a new validator for each request, which costs six times what it does
with it.
"""

import functools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from nova.api import validation
from nova.api.openstack import api_version_request
from nova.api.validation import validators

_helper = validation._schema_validation_helper


class NotAccepted(Exception):
    """Raised when Nova itself answers a request with a 4xx."""


def validate(function: Any, request: Any, body: Any) -> None:
    """Validate a body; what Nova ignores of it is taken out.

    :param function: method of a controller, as Nova would call it
    :param request: a Nova Request whose microversion is set
    :raises NotAccepted: if the method is not of the request's microversion
    :raises nova.exception.ValidationError: if the body is not valid
    """
    function = _of_version(function, request)
    version = request.api_version_request.get_string()
    for validator in _validators(function, version, request.is_legacy_v2()):
        validator.validate(body)


@functools.lru_cache(maxsize=1024)
def _validators(function: Any, version: str, legacy: bool) -> tuple[Any, ...]:
    """Return Nova's validators of a method's body.

    :param function: the one that Nova calls for the microversion
    :param legacy: whether it is called by way of the v2 API
    """
    request = SimpleNamespace(
        api_version_request=_version(version), is_legacy_v2=lambda: legacy
    )
    return tuple(
        validators._SchemaValidator(schema, legacy)
        for schema, versions in _schemas(function)
        # Nova says whether it would look at a body, by a schema of anything.
        if _helper({}, {}, *versions, (None, request), {})
    )


def schemas(
    function: Any, request: Any
) -> Iterator[tuple[Any, tuple[Any, Any]]]:
    """Return the schemas that a method has for bodies, with their versions.

    :raises NotAccepted: if the method is not of the request's version
    """
    return _schemas(_of_version(function, request))


def _schemas(function: Any) -> Iterator[tuple[Any, tuple[Any, Any]]]:
    while function is not None:
        kept = _closure(function)
        if "request_body_schema" in kept:
            versions = (kept["min_version"], kept["max_version"])
            yield kept["request_body_schema"], versions
        function = getattr(function, "__wrapped__", None)


def _of_version(function: Any, request: Any) -> Any:
    """Return the function that Nova calls for the request's microversion."""
    function = getattr(function, "__func__", function)
    version = request.api_version_request
    if getattr(function, "__name__", None) == "version_select":
        return _selected(function, version)
    least, most = (
        getattr(function, name, None)
        for name in ("min_version", "max_version")
    )
    if (least or most) and not version.matches(
        _version(least), _version(most)
    ):
        raise NotAccepted("not in this microversion")
    return function


def _selected(function: Any, version: Any) -> Any:
    """Return which of Nova 31's versioned methods is called."""
    kept = _closure(function)
    for method in kept["self"].versioned_methods[kept["key"]]:
        if version.matches(method.start_version, method.end_version):
            return method.func
    raise NotAccepted("not in this microversion")


def _closure(function: Any) -> dict[str, Any]:
    """Return what a decorator keeps for the function that it has made."""
    names = getattr(function, "__code__", None)
    cells = getattr(function, "__closure__", None) or ()
    free = names.co_freevars if names else ()
    return {
        name: cell.cell_contents
        for name, cell in zip(free, cells, strict=True)
    }


@functools.cache
def _version(text: str | None) -> Any:
    return api_version_request.APIVersionRequest(text)
