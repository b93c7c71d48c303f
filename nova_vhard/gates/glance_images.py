# SPDX-License-Identifier: Apache-2.0
"""The image that a change is about, read once: by the gate, and by Glance.

What Glance's own controller read for the gate it changes afterwards: what is
judged is what is stored, whoever has changed the image meanwhile, and the
database is not asked again. Only what two transactions of the database store
in the same moment may add up, as MySQL's do; Nova's gate judges the sum.

What a task of Glance's has part of is read anew, and not stored if it is not
what was judged. Nor is an image whose status has changed meanwhile: it was
uploaded, imported, deactivated or deleted, and the older status would take
that back.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import webob.exc
from glance.common import exception

from nova_vhard.request.image import READ

#: Property that names the task of an import or of a copy into a store.
_IMPORT = "os_glance_import_task"

_CHANGED_TEXT = (
    "The image has changed while this change was judged. Nothing is stored; "
    "send the request again."
)

#: RequestContext of the request that is not at its end, and the images that
#: were read in it, by their id.
_Kept = tuple[Any, dict[str, Any]]
_kept: ContextVar[_Kept | None] = ContextVar("vhard_images", default=None)


@contextlib.contextmanager
def kept(context: Any) -> Iterator[None]:
    """Keep the images that are read for a request, until it has ended.

    Only what runs in the same thread (green or not) is given them.

    :param context: glance.context.RequestContext, or None
    """
    token = _kept.set((context, {}))
    try:
        yield
    finally:
        _kept.reset(token)


class _Gateway:
    """Glance's gateway, whose images are read once where they are kept.

    :param gateway: glance.gateway.Gateway
    """

    def __init__(self, gateway: Any) -> None:
        self._gateway = gateway

    def __getattr__(self, name: str) -> Any:
        # a copy asks before it has any
        if name == "_gateway":
            raise AttributeError(name)
        return getattr(self._gateway, name)

    def get_repo(self, context: Any) -> Any:
        """Return the images that a user can see (glance.domain.proxy.Repo)."""
        repository = self._gateway.get_repo(context)
        owner, images = _kept.get() or (None, {})
        # a task has a context of its own, an administrator's
        if context is owner and context is not None:
            repository.get = functools.partial(
                _get, images, repository, repository.get
            )
        return repository


def _get(
    images: dict[str, Any],
    repository: Any,
    get: Callable[[str], Any],
    image_id: str,
) -> Any:
    """Return an image; to the second who asks the one that the first read.

    So is an image that is not there. What a task is at work on is read anew,
    and must be what was judged.

    :param images: what was read, by id; where there is none, the error
    :param repository: glance.domain.proxy.Repo, which may save the image
    :param get: Glance's own
    :raises glance.common.exception.NotFound: as Glance's own does
    :raises webob.exc.HTTPConflict: if it is not what was judged
    """
    image = images.pop(image_id, None)
    if image is None:
        try:
            image = images[image_id] = get(image_id)
        except exception.NotFound as error:
            images[image_id] = error
            raise
    elif isinstance(image, exception.NotFound):
        raise image
    elif _is_at_rest(image):
        save = repository.save
        repository.save = functools.partial(_save, save, image.status)
    else:
        judged, image = _judged(image), get(image_id)
        if _judged(image) != judged:
            raise webob.exc.HTTPConflict(explanation=_CHANGED_TEXT)
    return image


def _judged(image: Any) -> dict[str, Any]:
    """Return what is judged of a glance.domain.Image."""
    result = {name: image.extra_properties.get(name) for name in READ}
    return {**result, "disk_format": image.disk_format}


def _is_at_rest(image: Any) -> bool:
    """Return whether no task of Glance's has part of an image to store yet.

    Where it lies, or its hash; an image is stored as a whole. Whoever uploads
    or imports it says how long that takes.

    :param image: glance.domain.Image
    """
    whole = image.status == "queued" or image.os_hash_value is not None
    return whole and _IMPORT not in image.extra_properties


def _save(save: Callable[..., None], status: str, image: Any) -> None:
    """Store an image that is still in the status in which it was judged.

    :param save: Glance's own
    :param status: as it was read; a change may set another
    :raises webob.exc.HTTPConflict: if it is in another
    """
    try:
        save(image, from_state=status)
    except exception.Conflict as error:
        raise webob.exc.HTTPConflict(explanation=_CHANGED_TEXT) from error


def share(controllers: Iterable[Any]) -> None:
    """Have controllers of Glance's change the images that were judged."""
    for controller in controllers:
        if not isinstance(controller.gateway, _Gateway):
            controller.gateway = _Gateway(controller.gateway)
