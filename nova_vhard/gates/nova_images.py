# SPDX-License-Identifier: Apache-2.0
"""Images in Glance, read with Nova's own client, and those of volumes."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import glanceclient.exc
from nova import exception
from nova.image import glance

from nova_vhard.common.log import get_logger
from nova_vhard.policy.hardware import Holder
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import Subject
from nova_vhard.request.lookups import Image

LOG = get_logger(__name__)

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


def image_of(volume: Mapping[str, Any]) -> Any:
    """Return the ID of the image that a volume was made from, or None.

    Nova removes the ID from the metadata that it builds a guest from. Neither
    a RequestSpec nor a server's own metadata has it.
    """
    return (volume.get("volume_image_metadata") or {}).get("image_id")


def with_image(
    policy: Policy,
    subject: Subject,
    volumes: Any,
    context: Any,
    devices: Callable[[], Any],
) -> Subject:
    """Return a subject with the source image of its root volume.

    Cinder is asked only if the project has an exemption by image. If Cinder
    does not answer, these exemptions do not apply.

    :param volumes: nova.volume.cinder.API
    :param context: nova.context.RequestContext
    :param devices: returns the BlockDeviceMappingList of the server
    """
    # An exemption by image must name projects (``check.conflicts``), so that
    # this set is complete.
    has_exemption = subject.project in policy.image_projects
    if subject.image or not subject.server or not has_exemption:
        return subject
    try:
        root = devices().root_bdm()
        volume_id = root.get("volume_id", None)
        if volume_id is None:
            # The volume of a new server does not exist yet.
            volume_id = volumes.get_snapshot(context, root.snapshot_id)[
                "volume_id"
            ]
        image = image_of(volumes.get(context, volume_id))
    except Exception as error:  # noqa: BLE001 - Nova's databases, or Cinder
        # Closed on this side: without the image no exemption by image holds.
        # It must not fail the request, since most are allowed without one.
        LOG.warning("The image of a root volume is not known: %s", error)
        return subject
    return replace(subject, image=image)
