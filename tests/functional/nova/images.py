# SPDX-License-Identifier: Apache-2.0
"""Nova's in-memory Glance, asked as Glance is asked by its own client."""

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


def client_call(find: Callable[[], Any]) -> Callable[..., Any]:
    """Return what stands in for ``GlanceClientWrapper.call``.

    Nova's fixture replaces its image service, which is in front of it.

    :param find: returns the GlanceFixture
    """

    def call(
        _self: Any,
        _context: Any,
        version: int,
        method: str,
        controller: str,
        args: tuple[str],
    ) -> tuple[None, dict[str, Any]]:
        assert (version, method, controller) == (2, "get", "http_client")
        collection, _, image_id = args[0].rpartition("/")
        assert collection == "/v2/images"
        return None, shown(find(), image_id)

    return call
