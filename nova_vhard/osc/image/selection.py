# SPDX-License-Identifier: Apache-2.0
"""Selection of the images that an audit checks, page by page."""

import argparse
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from glanceclient.exc import CommunicationError

from nova_vhard.osc import output
from nova_vhard.osc.by_name import find
from nova_vhard.osc.image.changes import ERRORS
from nova_vhard.osc.image.images import Image
from nova_vhard.osc.projects import project_id

_PAGE = 500


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the ways to say which images."""
    parser.add_argument(
        "image", nargs="*", metavar="<image>", help="Names or ids of images."
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--all", action="store_true", help="Every image that you may see."
    )
    which.add_argument(
        "--public", action="store_true", help="Public images only."
    )
    which.add_argument(
        "--project", metavar="<project>", help="Images of a project."
    )


def selected(app: Any, options: argparse.Namespace) -> Iterator[Image]:
    """Yield the images that the options name.

    :param app: openstackclient's application
    :raises UsageError: where they name none
    :raises CommandError: where one is not there
    """
    images = app.client_manager.vhard.images
    if options.image:
        for name in options.image:
            yield find(
                "image",
                name,
                images.get,
                ERRORS,
                lambda name: listed(images, {"name": name}),
            )
        return
    filters = {}
    if options.public:
        filters["visibility"] = "public"
    elif options.project:
        filters["owner"] = project_id(app, options.project)
    elif not options.all:
        raise output.UsageError(
            "name images, or give --all, --public or --project"
        )
    yield from listed(images, filters)


def listed(images: Any, filters: dict[str, Any]) -> Iterator[Image]:
    """Yield images page by page; a listing has hidden ones or the others.

    The pages are read as Glance returns them: glanceclient's own list builds a
    model of each image, which takes longer than judging it.

    :param images: glanceclient's images
    :param filters: filters of Glance's image list, names to values
    :raises glanceclient.exc.CommunicationError: if a page is invalid
    """
    shown = {"visibility": "all", **filters, "limit": _PAGE}
    for hidden in ("false", "true"):
        query = urlencode({**shown, "os_hidden": hidden})
        url = f"/v2/images?{query}"
        read = set()
        while url:
            if url in read:
                raise CommunicationError(
                    "pages of images go round in a circle"
                )
            read.add(url)
            _, page = images.http_client.get(url)
            if not _is_page(page):
                raise CommunicationError("an answer is not a page of images")
            yield from page["images"]
            url = page.get("next")


def _is_page(answer: Any) -> bool:
    """Return whether Glance's answer is a page of images, and maybe the next.

    An audit that took anything else for one would end with less than there is.
    """
    if not isinstance(answer, dict):
        return False
    images, url = answer.get("images"), answer.get("next")
    return (
        isinstance(images, list)
        and isinstance(url, str | None)
        and all(
            isinstance(image, dict) and isinstance(image.get("id"), str)
            for image in images
        )
    )
