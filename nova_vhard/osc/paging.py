# SPDX-License-Identifier: Apache-2.0
"""Listings page by page, through openstacksdk's proxies.

Plain dictionaries: an audit of a whole cloud needs a few keys of each, and
keys that openstacksdk has no name for.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keystoneauth1.exceptions
from openstack import exceptions

#: What openstacksdk and the session below it raise.
ERRORS = (
    exceptions.SDKException,
    keystoneauth1.exceptions.ClientException,
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
    """Return what a GET answers.

    :raises ERRORS: without an answer that makes sense
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
