# SPDX-License-Identifier: Apache-2.0
"""Listings page by page, through openstacksdk's proxies or glanceclient.

Plain dictionaries: an audit of a whole cloud needs a few keys of each, and
keys that openstacksdk has no name for.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import glanceclient.exc
import keystoneauth1.exceptions
from openstack import exceptions

#: What openstacksdk and the session below it raise.
ERRORS = (
    exceptions.SDKException,
    keystoneauth1.exceptions.ClientException,
)

#: What glanceclient raises; TypeError where its schema refuses a value.
GLANCE_ERRORS = (
    glanceclient.exc.BaseException,
    glanceclient.exc.ClientException,
    keystoneauth1.exceptions.ClientException,
    TypeError,
)

Params = Sequence[tuple[str, str]]

LIMIT = ("limit", "1000")


def pages(
    proxy: Any,
    path: str,
    key: str,
    params: Params = (),
    microversion: str | None = None,
) -> Iterator[list[dict[str, Any]]]:
    """Yield a listing's pages.

    :param proxy: openstacksdk's proxy of the service
    :param path: ``/servers/detail``
    :param key: key of the list in the answer, ``servers``
    :param params: of the query; a name may occur several times
    :raises ERRORS: without a valid answer
    """
    marker: list[tuple[str, str]] = []
    while True:
        query = [*params, *marker]
        body = get(proxy, path, microversion, query)
        listed = body.get(key)
        if not isinstance(listed, list):
            raise exceptions.SDKException(f"no {key} in the answer to {path}")
        yield listed
        links = body.get(f"{key}_links") or ()
        if not listed or all(link.get("rel") != "next" for link in links):
            return
        marker = [("marker", str(listed[-1]["id"]))]


def get(
    proxy: Any,
    path: str,
    microversion: str | None = None,
    query: Params = (),
) -> Mapping[str, Any]:
    """Return the JSON object that a GET returns.

    :raises ERRORS: if there is no valid answer
    """
    response = proxy.get(path, params=list(query), microversion=microversion)
    exceptions.raise_from_response(response)
    try:
        body = response.json()
    except ValueError as error:
        raise exceptions.SDKException(
            f"the answer to {path} is not JSON"
        ) from error
    if not isinstance(body, dict):
        raise exceptions.SDKException(f"the answer to {path} is not an object")
    return body


def of_glance(
    http: Any, url: str | None, key: str, name: str
) -> Iterator[dict[str, Any]]:
    """Yield the items of a listing of Glance, page by page, as it answers.

    :param http: glanceclient's HTTP client
    :param url: of the first page
    :param key: key of the list in a page, ``images``
    :param name: key of a text that each item has, ``id``
    :raises glanceclient.exc.CommunicationError: if a page is invalid
    """
    read = set()
    while url:
        if url in read:
            raise glanceclient.exc.CommunicationError(
                f"pages of {key} go round in a circle"
            )
        read.add(url)
        _, page = http.get(url)
        # If an invalid page passed for the last one, an audit would miss
        # items without an error.
        if not (
            isinstance(page, dict)
            and isinstance(page.get(key), list)
            and isinstance(page.get("next"), str | None)
            and all(
                isinstance(item, dict) and isinstance(item.get(name), str)
                for item in page[key]
            )
        ):
            raise glanceclient.exc.CommunicationError(
                f"an answer is not a page of {key}"
            )
        yield from page[key]
        url = page.get("next")
