# SPDX-License-Identifier: Apache-2.0
"""Upkeep of everybody's traits: sweep for the cloud, withdraw for a host."""

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

#: What our traits begin with on a host: its reporter's, and what its cleaner
#: says of devices and is asked for them.
EVERY = (*HOST, device_words.DEVICE)

# Characters of what a host has lost, in the log.
_SHOWN = 2000

_HOUR = datetime.timedelta(hours=1)
#: Hours after which freshness names are deleted.
_KEPT = 2 * 24
#: Hours back that a sweep looks for them: it may have been away for so long.
_PAST = 60 * 24
#: Hours ahead from which on freshness names are deleted: made by a clock that
#: is wrong, or by somebody who fills Placement up.
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
    """Take our traits from silent hosts; delete old names and make new ones.

    Every question names what is known here, so that a host that makes many
    names stops nothing. No name is deleted for being unknown: a flavor may
    ask for it, and its boots would end in errors.

    :param now: aware time
    :param max_report_age: whole hours; not smaller than the policy's
    :raises PlacementError: if it could not even be begun
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
        LOG.error("Not all names of hours to come are right: %s", error)
        done.failed.append("names of hours to come")
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
        LOG.error("Hosts keep names of hours that do not count: %s", error)
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
    """Write what a host keeps; go on after a failure.

    :param wanted: and ``prefix``, as of ``Placement.update``
    """
    try:
        change = placement.update(host.uuid, wanted, prefix)
    except PlacementError as error:
        LOG.error("%s keeps its traits: %s", host.name, error)
        done.failed.append(host.name)
        return
    if change:
        lost = done.unmarked if prefix == traits.ATTESTED else done.silent
        lost.append(host.name)
        LOG.warning(
            "No report, or no mark of the attestor's, is in time: %s lost %s",
            host.name,
            # A host makes it as long as it likes.
            clean(", ".join(sorted(change.removed)), _SHOWN),
        )


def _silenced(
    fresh: frozenset[str], *void: str
) -> Callable[[frozenset[str]], Iterable[str]]:
    """Return what leaves a silent host nothing, and another no void mark.

    Judged again on what is written over: a report may have arrived since.
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
