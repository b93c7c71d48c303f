# SPDX-License-Identifier: Apache-2.0
"""Which images an audit looks at, page by page."""

import argparse
import urllib.parse
from collections.abc import Iterator
from typing import Any, TypeGuard

import glanceclient

from nova_vhard.osc import output
from nova_vhard.osc.image.changes import ERRORS
from nova_vhard.osc.image.images import Image
from nova_vhard.osc.named import find
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

    Plain dictionaries by glanceclient's own session: its models of images are
    copies of the schema, of which an audit of a whole cloud needs none.

    :raises ERRORS: without an answer that makes sense
    """
    visibility = {"visibility": "all"} | filters
    for hidden in (False, True):
        which = {**visibility, "os_hidden": str(hidden).lower()}
        for page in _pages(images.http_client, {**which, "limit": _PAGE}):
            yield from page


def _pages(client: Any, query: dict[str, Any]) -> Iterator[list[Image]]:
    """Yield the pages of a listing.

    :param client: glanceclient's client of HTTP
    :raises ERRORS: without an answer that makes sense
    """
    marker: dict[str, Any] = {}
    while True:
        words = urllib.parse.urlencode({**query, **marker})
        _, body = client.get(f"/v2/images?{words}")
        page = body.get("images") if isinstance(body, dict) else None
        if not _are_images(page):
            raise glanceclient.exc.ClientException("no images in the answer")
        yield page
        if not page or not body.get("next"):
            return
        marker = {"marker": page[-1]["id"]}


def _are_images(page: Any) -> TypeGuard[list[Image]]:
    return isinstance(page, list) and all(
        isinstance(image, dict) and isinstance(image.get("id"), str)
        for image in page
    )
