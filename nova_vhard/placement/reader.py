# SPDX-License-Identifier: Apache-2.0
"""Requests to Placement, and what a scheduler reads there.

Every request goes through ``PlacementReader.request``, with a table of what
statuses mean. Microversion 1.39: a list of required traits may name
alternatives (``required=A&required=in:B,C``).
"""

import contextlib
import re
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from nova_vhard.catalogue import traits

VERSION = "1.39"
PROVIDERS = "/resource_providers"

#: Bytes of names in one URL. Servers answer 414 to a longer one: uwsgi by
#: default above 4,096 bytes, with all headers, the token among them.
_PART = 2500

#: Of Placement's 400 to a question with a name that does not exist
#: (``list_resource_providers`` in its handlers/resource_provider.py).
_NO_TRAIT = "Invalid trait(s) in"

_UUID = re.compile("[0-9A-Za-z-]{1,64}")
#: Exceptions that a body of an unexpected shape can cause. Python's JSON
#: reader also accepts infinite numbers and deeply nested lists.
_SHAPELESS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


class Client(Protocol):
    """Required methods of a client; Nova's SchedulerReportClient has them."""

    def get(self, url: str, version: str) -> Any:
        """Return a response with status_code, text and json()."""

    def put(self, url: str, data: Any, version: str) -> Any:
        """Return a response."""

    def delete(self, url: str, version: str) -> Any:
        """Return a response."""


class PlacementError(Exception):
    """Raised if Placement gives no answer, or an invalid one.

    :ivar status: HTTP status that was not expected; None without one
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


#: HTTP status to the error that it means, None for an answer that is taken.
#: Every other status is a PlacementError.
Statuses = Mapping[int, type[PlacementError] | None]
OK: Statuses = {200: None}


@dataclass(frozen=True)
class Provider:
    """A resource provider."""

    uuid: str
    name: str


def provider_of(entry: Mapping[str, Any]) -> Provider:
    """Return the provider of an entry; its uuid is safe in a URL.

    :raises ValueError: if the entry is invalid; or another error that
        ``shape`` turns into a PlacementError
    """
    uuid, name = entry["uuid"], entry["name"]
    if not isinstance(name, str) or not _UUID.fullmatch(uuid):
        raise ValueError("a provider without a uuid or a name")
    return Provider(uuid, name)


class PlacementReader:
    """Placement, as far as schedulers go.

    :param client: carries out the requests; errors of its own are turned
        into PlacementError
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def request(
        self, method: str, url: str, *data: Any, statuses: Statuses = OK
    ) -> Any:
        """Carry out a request.

        :param method: of the client: ``get``, ``put``, ``delete``
        :param data: the body of a ``put``
        :raises PlacementError: without an answer, or as the statuses say
        """
        try:
            response = getattr(self._client, method)(
                url, *data, version=VERSION
            )
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            # Keystone's status: 401 for a wrong password
            raise PlacementError(
                text, getattr(error, "http_status", None)
            ) from error
        error_type = statuses.get(response.status_code, PlacementError)
        if error_type is None:
            return response
        text = " ".join(str(response.text).split())[:200]
        status = response.status_code
        raise error_type(f"status {status}: {text}", status)

    def get(self, url: str, statuses: Statuses = OK) -> dict[str, Any]:
        """Return the JSON object that a GET is answered with."""
        with shape("a JSON object"):
            return dict(self.request("get", url, statuses=statuses).json())

    def entries(self, url: str, key: str) -> list[Any]:
        """Return the list that the answer to a GET has under a key."""
        entries = self.get(url).get(key)
        if not isinstance(entries, list):
            raise PlacementError(f"no {key} in the answer to {url}")
        return entries

    def known(self, names: Iterable[str]) -> frozenset[str]:
        """Return those of some names of traits that exist.

        Asks for exact names, not for a prefix, because a host may have created
        any number of names with our prefix.

        :raises PlacementError: without an answer that makes sense
        """
        answers = (self._names(f"in:{part}") for part in _parts(names))
        return frozenset().union(*answers)

    def marks(self, held: bool = False) -> frozenset[str]:
        """Return the names of the attestor's marks that are on no provider.

        A mark that is set on a provider cannot be deleted, not even by the
        attestor, so it does not count.

        :param held: return the marks that are set on providers instead
        :raises PlacementError: without an answer that makes sense
        """
        query = f"startswith:{traits.MARK}&associated={str(held).lower()}"
        return self._names(query, traits.MARK)

    def _names(self, query: str, prefix: str = "") -> frozenset[str]:
        entries = self.entries(f"/traits?name={query}", "traits")
        with shape("a list of traits"):
            # Placement's underscore stands for any character.
            return frozenset(
                name for name in entries if name.startswith(prefix)
            )

    def providers(
        self,
        required: Collection[str],
        any_of: Collection[str] = (),
        query: str = "",
    ) -> list[Provider]:
        """Return the providers that have all of some traits.

        :param required: traits that a provider must have, all of them: a few
        :param any_of: traits of which it must have at least one; empty for no
            condition. The number is not limited: they are queried in parts
        :param query: in place of required traits
        :raises PlacementError: without an answer that makes sense
        """
        all_of = "required=" + ",".join(sorted(required)) if required else ""
        found = self.having(all_of or query, any_of)
        with shape("a list of providers"):
            return list(dict.fromkeys(map(provider_of, found)))

    def having(self, query: str, any_of: Collection[str]) -> list[Any]:
        """Return the entries of the providers that have one of some traits.

        If one of the names does not exist, Placement answers 400 for all of
        them, and a host could create and delete a name again and again. The
        list is then halved until a single name is left, which is skipped: a
        name that does not exist is on no provider, because Placement does not
        delete a name in use.

        :param query: what else the providers must be
        :raises PlacementError: without an answer that makes sense
        """
        found: list[Any] = []
        parts = _parts(any_of) or [""]
        for part in parts:
            asked = f"{query}&required=in:{part}" if part else query
            url = f"{PROVIDERS}?{asked.strip('&')}"
            try:
                found += self.entries(url, "resource_providers")
            except PlacementError as error:
                if _NO_TRAIT not in str(error):
                    raise
                names = part.split(",")
                half = len(names) // 2
                # They are asked for by this loop, after the others.
                parts += map(
                    ",".join, (names[:half], names[half:])[: 2 * half]
                )
        return found


def _parts(names: Iterable[str]) -> list[str]:
    """Return names, joined by commas, in parts that fit into a URL each."""
    # A name has no space and no hyphen.
    lines = textwrap.wrap(" ".join(sorted(names)), _PART)
    return [line.replace(" ", ",") for line in lines]


@contextlib.contextmanager
def shape(what: str) -> Iterator[None]:
    """Turn the errors of an unexpected body into a PlacementError.

    :param what: the expected content
    """
    try:
        yield
    except _SHAPELESS as error:
        raise PlacementError(f"not {what}: {error!r}") from error
