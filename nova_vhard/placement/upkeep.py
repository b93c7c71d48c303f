# SPDX-License-Identifier: Apache-2.0
"""Upkeep of everybody's traits: sweep for the cloud, withdraw for a host."""

import datetime
from dataclasses import dataclass

from nova_vhard.catalogue import results, traits
from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.common.log import get_logger
from nova_vhard.placement.client import (
    HOST,
    Placement,
    PlacementError,
    Provider,
)
from nova_vhard.placement.marks import named

LOG = get_logger(__name__)

#: What our traits begin with on a host: its reporter's, and what its cleaner
#: says of devices and is asked for them.
EVERY = (*HOST, traits.DEVICE)

_COMPUTE = "COMPUTE_NODE"

#: Hours back and ahead, of which the freshness names are asked for.
_PAST, _FUTURE = 60 * 24, 15 * 24

#: Freshness names older than this are deleted.
KEPT = datetime.timedelta(days=2)


@dataclass(frozen=True)
class Sweep:
    """What a sweep did.

    :ivar silent: names of the hosts that lost our traits
    :ivar deleted: freshness names that are gone
    :ivar failed: hosts and names that could not be dealt with this time
    :ivar unmarked: names of the hosts that are not attested any longer
    """

    silent: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    unmarked: tuple[str, ...] = ()


def sweep(
    placement: Placement, now: datetime.datetime, max_report_age: int
) -> Sweep:
    """Take our traits from hosts that have fallen silent.

    :param now: aware time
    :param max_report_age: whole hours; not smaller than the policy's
    :raises PlacementError: if it could not even be begun
    """
    known = placement.known(_every(now))
    marks = frozenset(traits.fresh(now, max_report_age))
    silent: list[str] = []
    failed: list[str] = []
    for host in _unmarked(placement, known, marks):
        # Judged again on what is written over: a report may have arrived
        # since.
        try:
            change = placement.update(
                host.uuid, lambda ours: ours if ours & marks else (), HOST
            )
        except PlacementError as error:
            LOG.error("%s keeps its traits: %s", host.name, error)
            failed.append(host.name)
            continue
        if change:
            silent.append(host.name)
            LOG.warning(
                "%s has not reported for %d hours or longer; lost %s",
                host.name,
                max_report_age,
                ", ".join(sorted(change.removed)),
            )
    deleted, kept = _delete(placement, known, now)
    unmarked, more = _take_attested(placement, now)
    return Sweep(tuple(silent), deleted, (*failed, *kept, *more), unmarked)


def _unmarked(
    placement: Placement, known: frozenset[str], marks: frozenset[str]
) -> list[Provider]:
    """Return the hosts that have traits of ours and no fresh mark."""
    if not known:
        return []
    fresh: set[str] = set()
    if known & marks:
        result = placement.providers((), known & marks)
        fresh = {item.uuid for item in result}
    ours = placement.providers((), known)
    return [item for item in ours if item.uuid not in fresh]


def _take_attested(
    placement: Placement, now: datetime.datetime
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Take the attestor's trait where no mark of its is in time.

    The attestor may be gone, and Placement's own matching knows no marks.

    :returns: names of the hosts that lost it, and of those that could not
    """
    having = attested_hosts(placement)
    marked = named(placement.marks(), now) if having else ()
    lost: list[str] = []
    failed: list[str] = []
    for host in having:
        if host.uuid in marked:
            continue
        try:
            placement.update(host.uuid, lambda ours: (), traits.ATTESTED)
        except PlacementError as error:
            LOG.error("%s keeps %s: %s", host.name, traits.ATTESTED, error)
            failed.append(host.name)
            continue
        LOG.warning("%s is not attested any longer", host.name)
        lost.append(host.name)
    return tuple(lost), tuple(failed)


def attested_hosts(placement: Placement) -> list[Provider]:
    """Return the hosts that have the attestor's trait, whoever wrote it.

    :raises PlacementError: without an answer that makes sense
    """
    known = placement.known({traits.ATTESTED})
    return placement.providers(known) if known else []


def _delete(
    placement: Placement, known: frozenset[str], now: datetime.datetime
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Delete old freshness names; return those gone, and those that stay."""
    deleted: list[str] = []
    failed: list[str] = []
    for name in sorted(known):
        hour = traits.hour_of(name)
        if hour is None or now - hour <= KEPT:
            continue
        try:
            gone = placement.delete_trait(name)
        except PlacementError as error:
            LOG.error("%s cannot be deleted: %s", name, error)
            gone = False
        (deleted if gone else failed).append(name)
    return tuple(deleted), tuple(failed)


def withdraw(
    placement: Placement, provider: str, prefixes: tuple[str, ...] = HOST
) -> frozenset[str]:
    """Take all our traits from one host.

    :param provider: uuid
    :param prefixes: that ours begin with; by default a reporter's alone
    :returns: what it lost
    :raises PlacementError: if it could not be done
    """
    return placement.update(provider, lambda ours: (), prefixes).removed


def hosts(placement: Placement, now: datetime.datetime) -> list[Provider]:
    """Return every compute node, and what else may have a trait of ours.

    :param now: aware time
    :returns: sorted by name
    :raises PlacementError: without an answer that makes sense
    """
    known = placement.known({_COMPUTE, traits.ATTESTED, *_every(now)})
    found = placement.providers((), known)
    return sorted(found, key=lambda item: item.name)


def unattest(placement: Placement, provider: str) -> frozenset[str]:
    """Take the attestor's trait from one host.

    An attestor that still has the host in its mapping writes it again.

    :param provider: uuid
    :returns: what it lost
    :raises PlacementError: if it could not be done
    """
    lost = placement.update(provider, lambda ours: (), traits.ATTESTED)
    return lost.removed


def forget(
    placement: Placement, now: datetime.datetime, lost: frozenset[str]
) -> tuple[str, ...]:
    """Delete the names of ours, after the last host was withdrawn.

    :param now: aware time
    :param lost: what the hosts have lost; names that nobody can know, such as
        those of devices, are among them
    :returns: those that stay, because a host still has them
    :raises PlacementError: if it could not be done
    """
    known = placement.known({traits.ATTESTED, *_every(now)})
    names = sorted(known | lost | placement.marks())
    return tuple(name for name in names if not placement.delete_trait(name))


def _every(now: datetime.datetime) -> frozenset[str]:
    """Return every name that reporters may have written in the last weeks.

    Those of the checks that are known here. There are some two thousand.
    """
    hours = traits.hours(now, -_PAST, _FUTURE)
    return frozenset(map(traits.of_check, CHECKS)).union(hours, results.TRAITS)
