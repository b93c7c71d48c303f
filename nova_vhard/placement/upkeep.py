# SPDX-License-Identifier: Apache-2.0
"""Removal of traits: sweep for the whole cloud, withdraw for one host."""

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from nova_vhard.catalogue import device_words, traits
from nova_vhard.common.log import get_logger
from nova_vhard.common.text import clean
from nova_vhard.placement import names
from nova_vhard.placement.client import (
    HOST,
    Placement,
    PlacementError,
    Provider,
)
from nova_vhard.placement.marks import named

LOG = get_logger(__name__)

#: Prefixes of our traits on a host: those of its reporter, of its cleaner's
#: reports on devices, and of requests to the cleaner.
EVERY = (*HOST, device_words.DEVICE)

# Characters of what a host has lost, in the log.
_SHOWN = 2000

_HOUR = datetime.timedelta(hours=1)
#: Hours after which freshness names are deleted.
_KEPT = 2 * 24
#: A sweep looks for old names of so many hours, since none may have run for
#: that long.
_PAST = 60 * 24
#: Freshness names for more hours ahead are deleted: they are from a wrong
#: clock, or from an attacker who fills Placement.
_FUTURE = (names.DAYS + 1) * 24


@dataclass
class Sweep:
    """Result of a sweep.

    :ivar silent: names of the hosts that lost our traits
    :ivar deleted: freshness names that were deleted
    :ivar made: new names
    :ivar failed: hosts and names that could not be processed this time
    :ivar unmarked: names of the hosts that are no longer attested
    """

    silent: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    made: frozenset[str] = frozenset()
    failed: list[str] = field(default_factory=list)
    unmarked: list[str] = field(default_factory=list)


def sweep(
    placement: Placement, now: datetime.datetime, max_report_age: int
) -> Sweep:
    """Remove our traits from silent hosts; delete old names, create new ones.

    All queries but the last name the traits exactly, so that a host that
    creates many names cannot stop a sweep. Unknown names are kept: if a flavor
    requires one, its servers could no longer boot.

    :param now: aware time
    :param max_report_age: whole hours; not smaller than the policy's
    :raises PlacementError: if the first queries fail
    """
    done = Sweep()
    fresh = frozenset(traits.fresh(now, max_report_age))
    old = placement.known(traits.hours(now, -_PAST, -_KEPT))
    _delete(placement, old, fresh, done)
    near = traits.hours(now, -_KEPT, _FUTURE)
    known = placement.known(names.of_checks().union(near))
    holders = placement.providers((), known) if known else []
    marks = known & fresh
    reported = placement.providers((), marks) if marks else []
    for host in sorted({*holders} - {*reported}, key=lambda item: item.name):
        _take(placement, host, _silenced(fresh), HOST, done)
    # The attestor may be gone, and Placement's own matching knows no marks.
    attested = attested_hosts(placement)
    marked = named(placement.marks(), now) if attested else ()
    for host in attested:
        if host.uuid not in marked:
            _take(placement, host, lambda ours: (), traits.ATTESTED, done)
    try:
        done.made = names.make(placement, now)
        # Last, because it is the only question by a prefix that hosts make
        # names with: Placement may not answer it.
        far = [
            name
            for name in placement.hours()
            if (hour := traits.hour_of(name)) and hour > now + _FUTURE * _HOUR
        ]
        _delete(placement, far, fresh, done)
    except PlacementError as error:
        LOG.error("Cannot update the names of future reports: %s", error)
        done.failed.append("trait names of future reports")
    return done


def _delete(
    placement: Placement,
    hours: Iterable[str],
    fresh: frozenset[str],
    done: Sweep,
) -> None:
    """Delete freshness names, and take them from the hosts that have them.

    A host may have made thousands. It loses all of them in one write, since
    each write is as long as the list of its traits.
    """
    held = _delete_free(placement, hours, done)
    try:
        for host in placement.providers((), held) if held else ():
            _take(placement, host, _silenced(fresh, *held), HOST, done)
    except PlacementError as error:
        LOG.error("Cannot remove outdated traits from hosts: %s", error)
    done.failed += _delete_free(placement, held, done)


def _delete_free(
    placement: Placement, hours: Iterable[str], done: Sweep
) -> list[str]:
    """Delete the names that no host has; return the others."""
    held: list[str] = []
    for name in sorted(hours):
        try:
            gone = placement.delete_trait(name)
        except PlacementError as error:
            LOG.error("%s cannot be deleted: %s", name, error)
            gone = False
        (done.deleted if gone else held).append(name)
    return held


def _take(
    placement: Placement,
    host: Provider,
    wanted: Callable[[frozenset[str]], Iterable[str]],
    prefix: str | tuple[str, ...],
    done: Sweep,
) -> None:
    """Write the traits that a host keeps; log and record a failure.

    :param wanted: and ``prefix``, as of ``Placement.update``
    """
    try:
        change = placement.update(host.uuid, wanted, prefix)
    except PlacementError as error:
        LOG.error("Cannot remove the traits of %s: %s", host.name, error)
        done.failed.append(host.name)
        return
    if change:
        lost = done.unmarked if prefix == traits.ATTESTED else done.silent
        lost.append(host.name)
        LOG.warning(
            "No current report, or no valid attestor's mark: %s lost %s",
            host.name,
            # A host makes it as long as it likes.
            clean(", ".join(sorted(change.removed)), _SHOWN),
        )


def _silenced(
    fresh: frozenset[str], *void: str
) -> Callable[[frozenset[str]], Iterable[str]]:
    """Return a function from a host's traits to those that it keeps.

    A silent host keeps none; another host keeps all but the outdated ones. It
    is applied to the traits at the time of the write, because a new report may
    have arrived.
    """
    return lambda ours: ours.difference(void) if ours & fresh else ()


def attested_hosts(placement: Placement) -> list[Provider]:
    """Return the hosts with the attestor's trait, regardless of its writer.

    :raises PlacementError: without a valid answer
    """
    known = placement.known({traits.ATTESTED})
    return placement.providers(known) if known else []


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
    known = placement.known({"COMPUTE_NODE", traits.ATTESTED, *_every(now)})
    return sorted(placement.providers((), known), key=lambda item: item.name)


def forget(
    placement: Placement, now: datetime.datetime, lost: frozenset[str]
) -> tuple[str, ...]:
    """Delete our names, after the last host was withdrawn.

    :param now: aware time
    :param lost: names that the hosts have lost, including those that cannot
        be enumerated
    :returns: names that stay because a host still has them
    :raises PlacementError: if a request failed
    """
    known = placement.known({traits.ATTESTED, *_every(now)})
    gone = sorted(known | lost | placement.marks() | placement.of_devices())
    return tuple(name for name in gone if not placement.delete_trait(name))


def _every(now: datetime.datetime) -> frozenset[str]:
    """Return each name that reporters may have written in the last weeks.

    There are some two thousand.
    """
    return names.of_checks().union(traits.hours(now, -_PAST, _FUTURE))
