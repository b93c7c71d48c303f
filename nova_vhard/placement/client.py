# SPDX-License-Identifier: Apache-2.0
"""The only module that speaks to Placement.

Microversion 1.39: a list of required traits may name alternatives
(``required=A&required=in:B,C``).
"""

import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from nova_vhard.catalogue import traits as names

VERSION = "1.39"

#: Tries of a write that somebody else got in between.
ATTEMPTS = 10

_OK = 200
_CREATED = 201
_NO_CONTENT = 204
_NOT_FOUND = 404
_CONFLICT = 409
_RACE = 500
_BAD_REQUEST = 400

_PROVIDERS = "/resource_providers"


class Client(Protocol):
    """What is asked of a client: Nova's SchedulerReportClient fits."""

    def get(self, url: str, version: str) -> Any:
        """Return a response with status_code, text and json()."""

    def put(self, url: str, data: Any, version: str) -> Any:
        """Return a response."""

    def delete(self, url: str, version: str) -> Any:
        """Return a response."""


class PlacementError(Exception):
    """Placement gave no answer, or one that makes no sense.

    :ivar status: HTTP status that was not expected; None without one
    """

    def __init__(self, said: str, status: int | None = None) -> None:
        """Keep what is wrong, and the status apart."""
        super().__init__(said)
        self.status = status


class ProviderNotFound(PlacementError):
    """There is no such resource provider."""


class Conflict(PlacementError):
    """Somebody else wrote in between: nothing was written."""


@dataclass(frozen=True)
class Provider:
    """A resource provider."""

    uuid: str
    name: str


@dataclass(frozen=True)
class Inventory:
    """What a provider has of one resource class.

    :ivar provider: uuid
    :ivar generation: of the provider when this was read
    :ivar fields: as Placement writes them, ``total`` and ``reserved`` among
        them
    """

    provider: str
    resource_class: str
    generation: int
    fields: Mapping[str, Any]

    @property
    def total(self) -> int:
        """How many there are."""
        return int(self.fields["total"])

    @property
    def reserved(self) -> int:
        """How many of them nobody may have."""
        return int(self.fields["reserved"])


@dataclass(frozen=True)
class Change:
    """What a write did to a provider's traits."""

    added: frozenset[str]
    removed: frozenset[str]

    def __bool__(self) -> bool:
        """Tell whether anything was written."""
        return bool(self.added or self.removed)


class Placement:
    """Placement, as far as our traits go.

    :param client: carries out the requests; errors of its own are turned
        into PlacementError
    """

    def __init__(self, client: Client) -> None:
        """Keep the client; nothing is asked yet."""
        self._client = client

    def traits(self, prefix: str = names.PREFIX) -> frozenset[str]:
        """Return the names of ours that exist.

        :param prefix: that they begin with
        :raises PlacementError: without an answer that makes sense
        """
        found = self._get(f"/traits?name=startswith:{prefix}", "traits")
        # Placement's underscore stands for any character.
        return frozenset(
            str(one) for one in found if str(one).startswith(prefix)
        )

    def providers(
        self, required: Collection[str], any_of: Collection[str] = ()
    ) -> list[Provider]:
        """Return the providers that have all of some traits.

        One request. Every name must exist, else Placement answers 400.

        :param required: traits that a provider must have, all of them
        :param any_of: traits of which it must have one; none for no demand
        :raises PlacementError: without an answer that makes sense
        """
        wanted = []
        if required:
            wanted.append("required=" + ",".join(sorted(required)))
        if any_of:
            wanted.append("required=in:" + ",".join(sorted(any_of)))
        return self._providers("&".join(wanted))

    def provider(
        self, uuid: str | None = None, name: str | None = None
    ) -> Provider:
        """Return one provider, by its uuid or its name.

        :raises ProviderNotFound: if there is none
        """
        query = f"uuid={quote(uuid)}" if uuid else f"name={quote(name or '')}"
        found = self._providers(query)
        if not found:
            raise ProviderNotFound(f"no resource provider with {query}")
        return found[0]

    def traits_of(self, provider: str) -> tuple[frozenset[str], int]:
        """Return a provider's traits and its generation.

        :param provider: uuid
        :raises ProviderNotFound: if there is none
        """
        response = self._call(
            lambda: self._client.get(_traits_url(provider), version=VERSION)
        )
        if response.status_code == _NOT_FOUND:
            raise ProviderNotFound(f"no resource provider {provider}")
        body = _body(response)
        try:
            return frozenset(body["traits"]), int(
                body["resource_provider_generation"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise PlacementError(f"not a list of traits: {error!r}") from error

    def update(
        self,
        provider: str,
        wanted: Callable[[frozenset[str]], Iterable[str]],
        prefix: str = names.PREFIX,
    ) -> Change:
        """Make our traits of a provider what they should be.

        Reads, merges and writes with the generation that was read, and
        starts again when somebody else wrote in between: Placement says 409
        then, or 500 after a true race. Traits that are not ours stay as
        they are.

        :param provider: uuid
        :param wanted: given our traits as they are, returns them as they
            should be
        :param prefix: that ours begin with
        :returns: what was written; nothing is written without a difference
        :raises PlacementError: if it did not work out
        """
        trouble: Exception | None = None
        for _ in range(ATTEMPTS):
            now, generation = self.traits_of(provider)
            ours = frozenset(one for one in now if one.startswith(prefix))
            want = frozenset(wanted(ours))
            strangers = sorted(
                one for one in want if not one.startswith(prefix)
            )
            if strangers:
                raise ValueError(f"not ours to write: {strangers}")
            if want == ours:
                return Change(frozenset(), frozenset())
            self.create_traits(want - ours)
            try:
                self._write(provider, (now - ours) | want, generation)
            except Conflict as error:
                trouble = error
                continue
            return Change(want - ours, ours - want)
        raise PlacementError(f"others write all the time: {trouble}")

    def create_traits(self, wanted: Iterable[str]) -> None:
        """Make names that do not exist yet; those that do stay."""
        for url in sorted(f"/traits/{name}" for name in wanted):
            put = functools.partial(self._client.put, url, None, VERSION)
            response = self._call(put)
            if response.status_code not in (_CREATED, _NO_CONTENT):
                raise _unexpected(response)

    def delete_trait(self, name: str) -> bool:
        """Delete a trait's name; a trait in use stays.

        :returns: whether it is gone
        """
        if not _is_ours(name):
            raise ValueError(f"not ours to delete: {name}")
        response = self._call(
            lambda: self._client.delete(f"/traits/{name}", version=VERSION)
        )
        if response.status_code in (_NO_CONTENT, _NOT_FOUND):
            return True
        if response.status_code in (_CONFLICT, _RACE):
            return False
        raise _unexpected(response)

    def tree(self, root: str, required: str) -> list[Provider]:
        """Return the providers below a root that have a trait.

        :param root: uuid of the root provider, which counts too
        :raises PlacementError: without an answer that makes sense
        """
        found = self._having(required, f"in_tree={quote(root)}&")
        return [one for one, _ in found]

    def below_roots(self, required: str) -> list[tuple[Provider, str]]:
        """Return the providers of all hosts that have a trait.

        :returns: each with the uuid of its root provider
        :raises PlacementError: without an answer that makes sense
        """
        return self._having(required)

    def _having(
        self, trait: str, query: str = ""
    ) -> list[tuple[Provider, str]]:
        """Return providers, and the root of each.

        A trait that a Placement is too old to know is one that nobody has.
        """
        url = f"{_PROVIDERS}?{query}required={trait}"
        try:
            found = self._get(url, "resource_providers")
        except PlacementError as error:
            if error.status != _BAD_REQUEST or self._knows(trait):
                raise
            return []
        try:
            return [
                (Provider(one["uuid"], one["name"]), one["root_provider_uuid"])
                for one in found
            ]
        except (KeyError, TypeError) as error:
            raise PlacementError(f"not providers: {error!r}") from error

    def _knows(self, trait: str) -> bool:
        return bool(self._get(f"/traits?name=in:{trait}", "traits"))

    def inventories(self, provider: str) -> list[Inventory]:
        """Return what a provider has, one for each resource class.

        :param provider: uuid
        :raises ProviderNotFound: if there is none
        """
        body = self._of(provider, "inventories")
        try:
            generation = int(body["resource_provider_generation"])
            found = [
                Inventory(provider, name, generation, dict(fields))
                for name, fields in body["inventories"].items()
            ]
            for one in found:
                _ = one.total, one.reserved
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise PlacementError(f"no inventories: {error!r}") from error
        return found

    def consumers(self, provider: str) -> tuple[tuple[str, ...], int]:
        """Return who has something of a provider, and its generation.

        :param provider: uuid
        :returns: uuids of servers or migrations, sorted
        :raises ProviderNotFound: if there is none
        """
        body = self._of(provider, "allocations")
        try:
            generation = int(body["resource_provider_generation"])
            found = body["allocations"]
            if not isinstance(found, dict):
                raise TypeError(type(found).__name__)
            return tuple(sorted(str(one) for one in found)), generation
        except (KeyError, TypeError, ValueError) as error:
            raise PlacementError(f"no allocations: {error!r}") from error

    def reserve(self, inventory: Inventory, reserved: int) -> None:
        """Write how much of an inventory nobody may have.

        With the generation that was read: nothing is written if anything of
        the provider has changed since, an allocation included.

        :raises Conflict: if so; what is true must be read anew
        :raises PlacementError: if it is not known whether it was written
        """
        body = {
            **inventory.fields,
            "reserved": reserved,
            "resource_provider_generation": inventory.generation,
        }
        url = (
            f"{_PROVIDERS}/{inventory.provider}/inventories/"
            f"{inventory.resource_class}"
        )
        response = self._call(
            lambda: self._client.put(url, body, version=VERSION)
        )
        if response.status_code == _CONFLICT:
            raise Conflict(" ".join(str(response.text).split())[:200])
        if response.status_code == _NOT_FOUND:
            text = f"no resource provider {inventory.provider}"
            raise ProviderNotFound(text)
        if _body(response).get("reserved") != reserved:
            raise PlacementError("the answer does not say what was written")

    def _of(self, provider: str, part: str) -> dict[str, Any]:
        """Return a part of a provider."""
        url = f"{_PROVIDERS}/{quote(provider)}/{part}"
        response = self._call(lambda: self._client.get(url, version=VERSION))
        if response.status_code == _NOT_FOUND:
            raise ProviderNotFound(f"no resource provider {provider}")
        return _body(response)

    def _write(
        self, provider: str, traits: Iterable[str], generation: int
    ) -> None:
        body = {
            "traits": sorted(traits),
            "resource_provider_generation": generation,
        }
        response = self._call(
            lambda: self._client.put(
                _traits_url(provider), body, version=VERSION
            )
        )
        if response.status_code == _OK:
            return
        # 400: a name was deleted since, by a sweep; make it anew.
        if response.status_code in (_CONFLICT, _RACE, _BAD_REQUEST):
            raise Conflict(f"{response.status_code} {response.text[:200]}")
        if response.status_code == _NOT_FOUND:
            raise ProviderNotFound(f"no resource provider {provider}")
        raise _unexpected(response)

    def _providers(self, query: str) -> list[Provider]:
        found = self._get(f"{_PROVIDERS}?{query}", "resource_providers")
        try:
            return [Provider(one["uuid"], one["name"]) for one in found]
        except (KeyError, TypeError) as error:
            raise PlacementError(f"not providers: {error!r}") from error

    def _get(self, url: str, key: str) -> list[Any]:
        response = self._call(lambda: self._client.get(url, version=VERSION))
        found = _body(response).get(key)
        if not isinstance(found, list):
            raise PlacementError(f"no {key} in the answer to {url}")
        return found

    @staticmethod
    def _call(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            raise PlacementError(text) from error


def _traits_url(provider: str) -> str:
    return f"{_PROVIDERS}/{provider}/traits"


def _is_ours(name: str) -> bool:
    return name.startswith((names.PREFIX, names.DEVICE))


def _body(response: Any) -> dict[str, Any]:
    if response.status_code != _OK:
        raise _unexpected(response)
    try:
        body = response.json()
    except ValueError as error:
        raise PlacementError("the answer is not JSON") from error
    if not isinstance(body, dict):
        raise PlacementError("the answer is no object")
    return body


def _unexpected(response: Any) -> PlacementError:
    text = " ".join(str(response.text).split())[:200]
    status = response.status_code
    return PlacementError(f"status {status}: {text}", status)
