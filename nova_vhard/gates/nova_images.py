# SPDX-License-Identifier: Apache-2.0
"""Images, read once in a request: by the Nova API's gate, and by Nova.

Glance is asked by Nova's own client, with its endpoints, retries and tokens.
Its answer is kept for the request, and where Nova's API asks for the same
image in the course of it, Nova reads the answer that was judged: it costs
nobody a second request, and what is judged is what the guest gets. So is a
refusal: where the gate sees no image, Nova sees none in the same request.
"""

import weakref
from collections.abc import Mapping, MutableMapping
from typing import Any

import glanceclient.exc
from nova import exception
from nova.image import glance

from nova_vhard.policy.hardware import Holder
from nova_vhard.request.lookups import Image

#: What Glance has answered, by the RequestContext of a request and an id.
_answers: MutableMapping[Any, dict[str, "_Answered | _Refused"]] = (
    weakref.WeakKeyDictionary()
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
    try:
        answer = client.call(context, 2, "get", args=(image_id,))
    except _NO_SUCH as error:
        _keep(context, image_id, _Refused(error))
        raise exception.ImageNotFound(image_id=image_id) from error
    # Nova's, which tells what is Glance's own from properties.
    fields = glance._extract_attributes_v2(answer)
    result = {
        "id": fields["id"],
        "owner": fields.get("owner"),
        "disk_format": fields["disk_format"],
        "properties": fields["properties"],
    }
    _keep(context, image_id, _Answered(answer))
    return result


def _keep(context: Any, image_id: str, client: "_Answered | _Refused") -> None:
    """Have Nova read an answer in the rest of a request; the last counts."""
    _answers.setdefault(context, {})[image_id] = client


class Images(glance.API):  # type: ignore[misc]
    """Nova's image API, which reads what was judged in the same request."""

    def get(
        self, context: Any, id_or_uri: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Return an image, from Glance's answer to the gate where it has one.

        :param context: nova.context.RequestContext of the user
        :param id_or_uri: the image's, as Nova takes it
        :param args: further arguments of Nova's own ``get``
        """
        client = _answers.get(context, {}).get(str(id_or_uri))
        if client is None:
            return super().get(context, id_or_uri, *args, **kwargs)
        service = glance.GlanceImageServiceV2(client)
        return service.show(context, id_or_uri, *args, **kwargs)


class _Answered:
    """A client of Glance that has its answer already."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def call(self, *_args: Any, **_kwargs: Any) -> Any:
        """Return the answer, as GlanceClientWrapper does."""
        return self._answer


class _Refused:
    """A client of Glance that was refused already.

    The error itself is not kept: its traceback holds the request's context,
    which would never go then.
    """

    def __init__(self, error: glanceclient.exc.HTTPException) -> None:
        self._kind, self._details = type(error), error.details

    def call(self, *_args: Any, **_kwargs: Any) -> Any:
        """Raise the error anew, as GlanceClientWrapper does."""
        raise self._kind(self._details)
