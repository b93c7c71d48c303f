# SPDX-License-Identifier: Apache-2.0
"""Placement client for single providers: reads and writes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from nova_vhard.catalogue import device_words, results
from nova_vhard.catalogue import traits as names
from nova_vhard.placement.reader import (
    OK,
    PROVIDERS,
    VERSION,
    Client,
    PlacementError,
    PlacementReader,
    Provider,
    Statuses,
    provider_of,
    shape,
)

__all__ = [
    "ATTEMPTS",
    "VERSION",
    "Change",
    "Client",
    "Conflict",
    "Inventory",
    "Placement",
    "PlacementError",
    "Provider",
    "ProviderNotFound",
]

#: Prefixes of the traits that a host's reporter writes.
HOST = (names.PREFIX, results.PREFIX)

#: Attempts of a write while other clients change the same provider.
ATTEMPTS = 10

#: Largest answer to a query by prefix: some 15,000 of the longest names.
_MOST_BYTES = 4 * 1024 * 1024

#: 401: the access rules of the credential do not allow the request.
_FORBIDDEN = (401, 403)


class ProviderNotFound(PlacementError):
    """Raised when there is no such resource provider."""


class Conflict(PlacementError):
    """Raised when somebody else wrote in between: nothing was written."""


_OF_PROVIDER: Statuses = {**OK, 404: ProviderNotFound}
_RESERVE: Statuses = {**_OF_PROVIDER, 409: Conflict}
#: 409, or 500 if two writes run at the same moment. 400: a sweep has just
#: deleted a name.
_TRAITS: Statuses = {**_RESERVE, 400: Conflict, 500: Conflict}
_CREATE: Statuses = {201: None, 204: None}
#: 409, or 500: it is in use.
_DELETE: Statuses = {204: None, 404: None, 409: Conflict, 500: Conflict}


@dataclass(frozen=True)
class Inventory:
    """Inventory of one resource class of a provider.

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
        """Total of the resource class."""
        return _number(self.fields["total"])

    @property
    def reserved(self) -> int:
        """Number of reserved units, which Placement does not allocate."""
        return _number(self.fields["reserved"])


@dataclass(frozen=True)
class Change:
    """Result of a write to a provider's traits.

    :ivar missing: traits that were not written, because they do not exist and
        this login may not create them
    """

    added: frozenset[str]
    removed: frozenset[str]
    missing: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Return whether anything was written."""
        return bool(self.added or self.removed)


class Placement(PlacementReader):
    """Placement, as far as our traits and devices go."""

    def provider(
        self, uuid: str | None = None, name: str | None = None
    ) -> Provider:
        """Return one provider, by its uuid or its name.

        :raises ProviderNotFound: if there is none
        """
        query = f"uuid={quote(uuid)}" if uuid else f"name={quote(name or '')}"
        for provider in self.providers((), query=query):
            # Make sure that the answer fits the query. MySQL ignores the case
            # of names.
            same = (uuid or name or "").casefold()
            if same != (provider.uuid if uuid else provider.name).casefold():
                raise PlacementError(
                    f"GET /resource_providers: it was asked for {query}, and "
                    f"has {provider.uuid}"
                )
            return provider
        raise ProviderNotFound(f"no resource provider with {query}")

    def traits_of(self, provider: str) -> tuple[frozenset[str], int]:
        """Return a provider's traits and its generation.

        :param provider: uuid
        :raises ProviderNotFound: if there is none
        """
        body, generation = self._of(provider, "traits")
        with shape("a list of traits"):
            return frozenset(map(_text, body["traits"])), generation

    def update(
        self,
        provider: str,
        wanted: Callable[[frozenset[str]], Iterable[str]],
        prefix: str | tuple[str, ...] = names.PREFIX,
        *,
        partly: bool = False,
    ) -> Change:
        """Make our traits of a provider what they should be.

        Reads, merges and writes with the generation that was read, and
        starts again if another client wrote in the meantime. Traits that are
        not ours are kept. Missing trait names are created.

        :param provider: uuid
        :param wanted: given our traits as they are, returns them as they
            should be
        :param prefix: prefix of our traits, or several; only the attestor
            writes its own trait
        :param partly: write the traits whose names exist, even if the names
            of the others cannot be created
        :returns: the change; nothing is written if there is no difference
        :raises PlacementError: if the traits could not be written
        """
        trouble: Exception | None = None
        for _ in range(ATTEMPTS):
            now, generation = self.traits_of(provider)
            ours = frozenset(name for name in now if _is_ours(name, prefix))
            want = frozenset(wanted(ours))
            strangers = sorted(
                name for name in want if not _is_ours(name, prefix)
            )
            if strangers:
                raise ValueError(f"not ours to write: {strangers}")
            missing = self.make(want - ours, partly)
            want -= missing
            if want == ours:
                return Change(frozenset(), frozenset(), missing)
            body = {
                "traits": sorted((now - ours) | want),
                "resource_provider_generation": generation,
            }
            url = f"{PROVIDERS}/{quote(provider)}/traits"
            try:
                self.request("put", url, body, statuses=_TRAITS)
            except Conflict as error:
                trouble = error
                continue
            return Change(want - ours, ours - want, missing)
        raise PlacementError(
            f"other clients kept changing the provider: {trouble}"
        )

    def make(
        self, new: frozenset[str], partly: bool = False
    ) -> frozenset[str]:
        """Make names; return those that this login may not make.

        :param partly: return them, and do not raise an error
        """
        missing = new - self.known(new)
        try:
            self.create_traits(missing)
        except PlacementError as error:
            if partly and error.status in _FORBIDDEN:
                return missing
            raise
        return frozenset()

    def create_traits(self, wanted: Iterable[str]) -> None:
        """Make names that do not exist yet; those that do stay."""
        for name in sorted(wanted):
            self.request("put", f"/traits/{name}", None, statuses=_CREATE)

    def of_devices(self) -> frozenset[str]:
        """Return the names of the words about devices, and of requests."""
        return self._names("startswith:CUSTOM_VHDEV_", device_words.DEVICE)

    def delete_trait(self, name: str) -> bool:
        """Delete a trait's name; a trait in use stays.

        :returns: whether it is gone
        """
        if not name.startswith((*HOST, device_words.DEVICE, names.MARK)):
            raise ValueError(f"not ours to delete: {name}")
        try:
            self.request("delete", f"/traits/{name}", statuses=_DELETE)
        except Conflict:
            return False
        return True

    def hours(self) -> frozenset[str]:
        """Return every name that begins as those of hours do.

        Only the sweep uses this. A host may have created any number of such
        names, of any length, so the size of the answer is limited.

        :raises PlacementError: without an answer that makes sense
        """
        url = f"/traits?name=startswith:{names.REPORTED}"
        response = self.request("get", url)
        size = len(response.content)
        if size > _MOST_BYTES:
            raise PlacementError(f"the answer to {url} has {size} bytes")
        with shape("a list of traits"):
            return frozenset(map(_text, response.json()["traits"]))

    def below_roots(
        self, required: str, root: str = ""
    ) -> list[tuple[Provider, str]]:
        """Return the providers that have a trait, and the root of each.

        If Placement is too old to know the trait, the list is empty.

        :param root: uuid of the one root whose providers are asked for
        :raises PlacementError: without an answer that makes sense
        """
        entries = self.having(
            f"in_tree={quote(root)}" if root else "", [required]
        )
        with shape("a list of providers"):
            return [
                (provider_of(entry), _text(entry["root_provider_uuid"]))
                for entry in entries
            ]

    def inventories(self, provider: str) -> list[Inventory]:
        """Return what a provider has, one for each resource class.

        :param provider: uuid
        :raises ProviderNotFound: if there is none
        """
        body, generation = self._of(provider, "inventories")
        with shape("inventories"):
            inventories = [
                Inventory(provider, name, generation, dict(fields))
                for name, fields in body["inventories"].items()
            ]
            for inventory in inventories:
                _ = inventory.total, inventory.reserved
        return inventories

    def consumers(self, provider: str) -> tuple[tuple[str, ...], int]:
        """Return the consumers of a provider, and its generation.

        :param provider: uuid
        :returns: uuids of servers or migrations, sorted
        :raises ProviderNotFound: if there is none
        """
        body, generation = self._of(provider, "allocations")
        with shape("allocations"):
            return tuple(sorted(body["allocations"].keys())), generation

    def reserve(self, inventory: Inventory, reserved: int) -> None:
        """Write the reserved amount of an inventory.

        Send the generation that was read: nothing is written if anything of
        the provider has changed since, including an allocation.

        :raises Conflict: if so; read the current state again
        :raises PlacementError: if it is unknown whether it was written
        """
        body = {
            **inventory.fields,
            "reserved": reserved,
            "resource_provider_generation": inventory.generation,
        }
        url = (
            f"{PROVIDERS}/{inventory.provider}/inventories/"
            f"{inventory.resource_class}"
        )
        response = self.request("put", url, body, statuses=_RESERVE)
        with shape("what was written"):
            if _number(response.json()["reserved"]) != reserved:
                raise PlacementError(
                    "the answer does not confirm the new reserved amount"
                )

    def claim(self, inventory: Inventory) -> Inventory:
        """Write the one inventory of a provider again, as it was read.

        :returns: it, with the provider's new generation
        :raises Conflict: if anything of the provider has changed since
        :raises PlacementError: if it is not known whether it was written
        """
        body = {
            "inventories": {inventory.resource_class: inventory.fields},
            "resource_provider_generation": inventory.generation,
        }
        url = f"{PROVIDERS}/{inventory.provider}/inventories"
        response = self.request("put", url, body, statuses=_RESERVE)
        with shape("what was written"):
            return replace(
                inventory,
                generation=_number(
                    response.json()["resource_provider_generation"]
                ),
            )

    def _of(self, provider: str, part: str) -> tuple[dict[str, Any], int]:
        """Return a part of a provider, and the provider's generation."""
        body = self.get(f"{PROVIDERS}/{quote(provider)}/{part}", _OF_PROVIDER)
        with shape(part):
            return body, _number(body["resource_provider_generation"])


def _number(value: object) -> int:
    """Return a whole number that is not negative; else a ValueError."""
    if type(value) is not int or value < 0:
        raise ValueError("it is not a number")
    return value


def _text(value: object) -> str:
    """Return a text; anything else is a ValueError."""
    if not isinstance(value, str):
        raise ValueError("it is not a text")
    return value


def _is_ours(name: str, prefix: str | tuple[str, ...]) -> bool:
    """Return whether the writer of a prefix may write a trait."""
    if name == names.ATTESTED:
        return prefix == names.ATTESTED
    return name.startswith(prefix)
