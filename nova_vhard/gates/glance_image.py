# SPDX-License-Identifier: Apache-2.0
"""The stored image, and the image after a JSON patch."""

import copy
import io
from typing import Any

import webob

from nova_vhard.gates.http import Application, Environ

_KEPT_WEBOB = "webob.adhoc_attrs"
_DROPPED = frozenset(
    (
        "CONTENT_TYPE",
        "HTTP_ACCEPT_ENCODING",
        "HTTP_CONTENT_TYPE",
        "HTTP_RANGE",
        "HTTP_TRANSFER_ENCODING",
        "wsgi.input_terminated",
    )
)


def stored(application: Application, environ: Environ) -> webob.Response:
    """Return Glance's answer about an image, as the user can read it.

    Send a GET through the rest of the pipeline, as the same user.

    :param application: the application that the gate wraps
    :param environ: of the PATCH
    """
    fresh = {
        name: value
        for name, value in environ.items()
        if name not in _DROPPED
        and (not name.startswith("webob.") or name == _KEPT_WEBOB)
    }
    if _KEPT_WEBOB in fresh:
        fresh[_KEPT_WEBOB] = dict(fresh[_KEPT_WEBOB])
    fresh |= {
        "REQUEST_METHOD": "GET",
        "QUERY_STRING": "",
        "CONTENT_LENGTH": "0",
        "HTTP_ACCEPT": "application/json",
        "wsgi.input": io.BytesIO(),
    }
    return webob.Request(fresh).get_response(application)


def changed(
    image: dict[str, Any], changes: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return an image as it would be after a JSON patch.

    :param image: the image as it is
    :param changes: as Glance's own RequestDeserializer reads them
    """
    after = copy.copy(image)
    for change in changes:
        name = change["path"][0]
        if change["op"] == "remove":
            after.pop(name, None)
        else:
            after[name] = change["value"]
    return after
