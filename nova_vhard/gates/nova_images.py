# SPDX-License-Identifier: Apache-2.0
"""Images, as the Nova API's gate asks Glance for them.

By Nova's own client, with its endpoints, retries and tokens, in one request an
image. Nova's image API would read Glance's schema of images with each image,
to tell what is Glance's own from properties; its names are known here.
"""

from collections.abc import Mapping
from typing import Any

import glanceclient.exc
from nova import exception
from nova.image import glance

from nova_vhard.policy.hardware import Holder
from nova_vhard.request.lookups import Image

#: What every image has by Glance's schema. Another name that Glance gives
#: itself one day is taken for a property, of which no rule speaks.
_OWN = frozenset(
    [
        "checksum",
        "container_format",
        "created_at",
        "direct_url",
        "disk_format",
        "file",
        "id",
        "locations",
        "min_disk",
        "min_ram",
        "name",
        "os_hash_algo",
        "os_hash_value",
        "os_hidden",
        "owner",
        "protected",
        "schema",
        "self",
        "size",
        "status",
        "stores",
        "tags",
        "updated_at",
        "virtual_size",
        "visibility",
    ]
)

#: By which Glance says that this user gets no such image.
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
        properties=fields.get("properties") or {},
        disk_format=fields.get("disk_format"),
        holder=Holder(
            fields.get("id"), fields.get("owner"), fields.get("disk_format")
        ),
    )


def is_hidden(error: Exception) -> bool:
    """Return whether Glance says that there is no such image."""
    return isinstance(error, exception.ImageNotFound) and isinstance(
        error.__cause__, glanceclient.exc.HTTPNotFound
    )


def get(context: Any, image_id: str) -> dict[str, Any]:
    """Return what a user sees of an image.

    :param context: nova.context.RequestContext of the user
    :param image_id: a uuid
    :returns: ``id``, ``owner``, ``disk_format``, and ``properties``: a dict
        of values as Glance keeps them, by name
    :raises nova.exception.ImageNotFound: if the user gets no such image
    :raises Exception: as Nova's client does, without an answer or on one that
        makes no sense
    """
    # As Nova does, one a call: the endpoint is of the user's catalogue.
    client = glance.GlanceClientWrapper()
    path = f"/v2/images/{image_id}"
    try:
        _, result = client.call(
            context, 2, "get", controller="http_client", args=(path,)
        )
    except _NO_SUCH as error:
        raise exception.ImageNotFound(image_id=image_id) from error
    return {
        "id": result["id"],
        "owner": result.get("owner"),
        "disk_format": result.get("disk_format"),
        "properties": {
            name: value for name, value in result.items() if name not in _OWN
        },
    }
