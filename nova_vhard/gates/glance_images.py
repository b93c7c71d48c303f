# SPDX-License-Identifier: Apache-2.0
"""The image that a change is about, read once: by the gate, and by Glance.

What Glance's own controller read for the gate it changes afterwards: what is
judged is what is stored, whoever else changes the image meanwhile, and the
database is not asked again. Where two change an image at once the last one
holds, as without the gate.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

#: Images that were read in a request that is not at its end, by the id() of
#: its RequestContext, and by their own.
_images: dict[int, dict[str, Any]] = {}


@contextlib.contextmanager
def kept(context: Any) -> Iterator[None]:
    """Keep the images that are read for a request, until it has ended.

    :param context: glance.context.RequestContext
    """
    _images[id(context)] = {}
    try:
        yield
    finally:
        del _images[id(context)]


class _Gateway:
    """Glance's gateway, whose images are read once where they are kept.

    :param gateway: glance.gateway.Gateway
    """

    def __init__(self, gateway: Any) -> None:
        self._gateway = gateway

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    def get_repo(self, context: Any) -> Any:
        """Return the images that a user can see (glance.domain.proxy.Repo)."""
        repository = self._gateway.get_repo(context)
        images = _images.get(id(context))
        if images is not None:
            repository.get = functools.partial(_get, images, repository.get)
        return repository


def _get(
    images: dict[str, Any], get: Callable[[str], Any], image_id: str
) -> Any:
    """Return an image; to the second who asks the one that the first read.

    :param get: Glance's own
    :raises glance.common.exception.NotFound: as Glance's own does
    """
    image = images.pop(image_id, None)
    if image is None:
        image = images[image_id] = get(image_id)
    return image


def share(controllers: Iterable[Any]) -> None:
    """Have controllers of Glance's change the images that were judged."""
    for controller in controllers:
        if not isinstance(controller.gateway, _Gateway):
            controller.gateway = _Gateway(controller.gateway)
