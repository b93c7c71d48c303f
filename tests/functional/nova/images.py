# SPDX-License-Identifier: Apache-2.0
"""Nova's in-memory Glance, asked as Glance is asked by its own client."""

import datetime
import json
from collections.abc import Callable
from typing import Any

import glanceclient.exc
from nova import exception


def shown(glance: Any, image_id: str) -> dict[str, Any]:
    """Return an image in the shape of Glance's API.

    :param glance: nova.tests.fixtures.GlanceFixture
    :raises glanceclient.exc.HTTPException: if it is not there, or not shown
    """
    try:
        image = dict(glance.show(None, image_id))
    except exception.ImageNotFound as error:
        raise glanceclient.exc.HTTPNotFound("no such image") from error
    except exception.ImageNotAuthorized as error:
        raise glanceclient.exc.HTTPForbidden("not yours") from error
    properties = image.pop("properties", {})
    return {**image, **properties}


#: What Nova's fixture keeps with an image, and Glance does not show.
_NOT_SHOWN = ("deleted", "deleted_at", "is_public")


def answer(image: dict[str, Any]) -> dict[str, Any]:
    """Return an image as Glance shows it."""
    return {
        name: _written(name, value)
        for name, value in image.items()
        if name not in _NOT_SHOWN
    }


def _written(name: str, value: Any) -> Any:
    """Return a value as Glance writes it."""
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if name in ("block_device_mapping", "mappings"):
        return value if isinstance(value, str) else json.dumps(value)
    return value


def client_call(find: Callable[[], Any]) -> Callable[..., Any]:
    """Return a replacement for ``GlanceClientWrapper.call``.

    Nova's fixture replaces its image service, which calls it.

    :param find: returns the GlanceFixture
    """

    def call(
        _self: Any, _context: Any, *call: Any, args: tuple[str]
    ) -> tuple[None, dict[str, Any]]:
        assert call == (2, "get", "http_client")
        (url,) = args
        return None, answer(shown(find(), url.removeprefix("/v2/images/")))

    return call
