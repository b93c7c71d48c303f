# SPDX-License-Identifier: Apache-2.0
"""Images in Glance, read with Nova's own client."""

from collections.abc import Mapping
from typing import Any

import glanceclient.exc
from nova import exception
from nova.image import glance

from nova_vhard.policy.hardware import Holder
from nova_vhard.request.lookups import Image

#: Errors that mean that Glance has no such image for this user, as in Nova's
#: own client (``_translate_image_exception``). A 5xx, or no answer, proves
#: nothing and fails closed as LookupFailed.
_NO_SUCH = (
    glanceclient.exc.HTTPBadRequest,
    glanceclient.exc.HTTPForbidden,
    glanceclient.exc.HTTPNotFound,
    glanceclient.exc.HTTPUnauthorized,
)


def read(fields: Mapping[str, Any]) -> Image:
    """Return an image as the readers take it.

    :param fields: what ``get`` returned
    """
    return Image(
        properties=fields,
        disk_format=fields.get("disk_format"),
        holder=Holder(
            fields.get("id"), fields.get("owner"), fields.get("disk_format")
        ),
    )


def is_hidden(error: Exception) -> bool:
    """Return whether Glance says that there is no such image."""
    # Only 404: Glance also answers this for an image that exists but is not
    # shared. Its owner may share it before Nova looks it up (bypass 36).
    return isinstance(error, exception.ImageNotFound) and isinstance(
        error.__cause__, glanceclient.exc.HTTPNotFound
    )


def get(context: Any, image_id: str) -> Any:
    """Return what a user sees of an image.

    :param context: nova.context.RequestContext of the user
    :param image_id: a uuid
    :returns: the fields and properties of the image, as Glance shows them
    :raises nova.exception.ImageNotFound: if the user gets no such image
    :raises Exception: as Nova's client does, without an answer or on one that
        makes no sense
    """
    # As Nova does, one a call: the endpoint is of the user's catalogue.
    client = glance.GlanceClientWrapper()
    url = f"/v2/images/{image_id}"
    try:
        # The controller "images" would also request the schema, each time.
        _, fields = client.call(context, 2, "get", "http_client", args=(url,))
    except _NO_SUCH as error:
        raise exception.ImageNotFound(image_id=image_id) from error
    # An answer without an id is not an image.
    # KeyError then becomes LookupFailed, not an image without properties.
    return {**fields, "id": fields["id"]}
