# SPDX-License-Identifier: Apache-2.0
"""The attestor's results in Placement: a trait on each host, and marks.

A round without changes makes five requests. The order of the writes allows for
a failure after any of them: first, hosts lose the traits that they must not
have; marks are deleted only after others cover the same hosts.

Placement does not delete a mark that is set on a provider. Such a mark does
not count; it is removed from the provider and then deleted.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nova_vhard.catalogue import traits
from nova_vhard.placement import marks
from nova_vhard.placement.client import Placement, PlacementError, Provider
from nova_vhard.placement.marks import Mark
from nova_vhard.placement.upkeep import attested_hosts

#: Names of somebody else's making that a round deals with.
_MOST_VOID = 1000

#: Tries to delete a mark that somebody puts on a provider again.
_TRIES = 5


@dataclass(frozen=True)
class State:
    """Current contents of Placement.

    :ivar nodes: uuid of each compute node's provider to its name
    :ivar having: uuids of the providers with the attestor's trait,
        regardless of who wrote it
    :ivar marks: marks with our code, the longest lasting first
    :ivar void: names that look like marks but do not have our code
    :ivar held: names of marks that are set on providers
    """

    nodes: Mapping[str, str]
    having: Mapping[str, str]
    marks: tuple[Mark, ...] = ()
    void: tuple[str, ...] = ()
    held: frozenset[str] = frozenset()

    @property
    def providers(self) -> list[Provider]:
        """The compute nodes' providers."""
        return [Provider(uuid, name) for uuid, name in self.nodes.items()]


@dataclass
class Outcome:
    """Changes that a round has written.

    :ivar gained: uuids of the providers that got the trait
    :ivar lost: uuids of those that lost it
    :ivar holders: names of the providers that marks were removed from
    :ivar failed: what could not be written, in words
    """

    gained: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    holders: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)


def read(placement: Placement, keys: Sequence[bytes]) -> State:
    """Return what Placement has.

    :raises PlacementError: without an answer that makes sense
    """
    nodes = placement.providers({"COMPUTE_NODE"})
    having = attested_hosts(placement)
    held = placement.marks(held=True)
    names = placement.marks() | held
    known = [mark for name in names if (mark := marks.read(name, keys))]
    void = names.difference(mark.name for mark in known)
    return State(
        _by_uuid(nodes),
        _by_uuid(having),
        tuple(sorted(known, key=lambda mark: (-mark.until, mark.name))),
        tuple(sorted(void)),
        held,
    )


def _by_uuid(providers: Iterable[Provider]) -> dict[str, str]:
    return {provider.uuid: provider.name for provider in providers}


class Writer:
    """Writer of traits and marks of attested hosts to Placement.

    :param key: signs the marks
    :param renewal: seconds that a mark must still last; otherwise it is
        replaced
    """

    def __init__(
        self, placement: Placement, key: bytes, renewal: float
    ) -> None:
        self._placement = placement
        self._key = key
        self._renewal = renewal

    def write(
        self,
        state: State,
        wanted: Mapping[str, float],
        now: float,
        undemanded: Iterable[str] = (),
    ) -> Outcome:
        """Make Placement say what is wanted; go on after a failure.

        :param wanted: uuid of each attested provider to until when, in
            seconds since the epoch
        :param undemanded: uuids of the providers of which the verifier
            demands nothing: marks that ended at 0 name them
        """
        outcome = Outcome()
        for provider in sorted(state.having.keys() - wanted.keys()):
            self._set(provider, False, outcome)
        self._free(state.held, outcome)
        good = [
            mark
            for mark in state.marks
            if mark.name not in state.held
            # It is in time, and says no more than is wanted.
            and mark.until > now
            and all(
                mark.until <= wanted.get(provider, 0.0)
                for provider in mark.providers
            )
        ]
        until: dict[str, int] = {}
        for mark in good:
            for provider in mark.providers:
                until[provider] = max(mark.until, until.get(provider, 0))
        due = [
            provider
            for provider, end in wanted.items()
            if provider not in until
            or (
                until[provider] < now + self._renewal
                and until[provider] < int(end)
            )
        ]
        # Those of alike ages share a mark: it lasts as long as its shortest.
        due.sort(key=lambda provider: (wanted[provider], provider))
        new = [
            marks.make(self._key, int(wanted[part[0]]), part)
            for part in _parts(due)
        ]
        ours = {mark.name for mark in state.marks}
        bare = [
            marks.make(self._key, 0, part)
            for part in _parts(sorted(undemanded))
        ]
        new += [mark for mark in bare if mark.name not in ours]
        complete = self._make(new, outcome)
        for provider in sorted(wanted.keys() - state.having.keys()):
            self._set(provider, True, outcome)
        # Without the new ones the old ones stay, but none that says too much.
        kept = (
            _needed([*new, *good])
            if complete
            else frozenset(mark.name for mark in good)
        )
        kept |= {mark.name for mark in bare}
        self._delete([*sorted(ours - kept), *state.void[:_MOST_VOID]], outcome)
        return outcome

    def _make(self, new: Iterable[Mark], outcome: Outcome) -> bool:
        """Make marks; return whether all of them are there."""
        for mark in new:
            try:
                # Readers ask for marks only if the trait ATTESTED exists, and
                # a mark of hosts without demands may be the first one.
                needed = set() if mark.until else {traits.ATTESTED}
                self._placement.create_traits({mark.name} | needed)
            except PlacementError as error:
                outcome.failed.append(f"a mark is not made: {error}")
                return False
        return True

    def _set(self, provider: str, attested: bool, outcome: Outcome) -> None:
        """Give a provider the trait, or take it."""
        wanted = {traits.ATTESTED} if attested else set()
        try:
            self._placement.update(
                provider, lambda ours: wanted, traits.ATTESTED
            )
        except PlacementError as error:
            word = "does not get" if attested else "keeps"
            outcome.failed.append(f"{provider} {word} its trait: {error}")
            return
        (outcome.gained if attested else outcome.lost).append(provider)

    def _free(self, names: Collection[str], outcome: Outcome) -> None:
        """Take marks from the providers that have them."""
        listed = sorted(names)[:_MOST_VOID]
        try:
            holders = self._placement.providers((), listed) if listed else []
        except PlacementError as error:
            outcome.failed.append(f"marks stay on their hosts: {error}")
            return
        for holder in holders:
            try:
                self._placement.update(
                    holder.uuid, lambda ours: (), traits.MARK
                )
                outcome.holders.add(holder.name)
            except PlacementError as error:
                # A host that writes all the time keeps its own mark alone.
                outcome.failed.append(
                    f"a mark stays on {holder.name}: {error}"
                )

    def _delete(self, names: Iterable[str], outcome: Outcome) -> None:
        for name in names:
            try:
                # After the last try, leave the mark on its host: it does not
                # count there.
                for left in range(_TRIES, -1, -1):
                    gone = self._placement.delete_trait(name)
                    if gone or not left:
                        break
                    self._free([name], outcome)
            except PlacementError as error:
                outcome.failed.append(f"a mark is not deleted: {error}")
                return
            if not gone:
                outcome.failed.append(
                    "a mark is not deleted: it is put on a host again"
                )


def _parts(providers: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield as many providers as a mark can name."""
    for at in range(0, len(providers), marks.MOST):
        yield providers[at : at + marks.MOST]


def _needed(good: Collection[Mark]) -> frozenset[str]:
    """Return the names of the marks without which a host would lack one."""
    names: set[str] = set()
    covered: set[str] = set()
    for mark in sorted(good, key=lambda item: -item.until):
        if not mark.providers <= covered:
            names.add(mark.name)
            covered |= mark.providers
    return frozenset(names)
