# SPDX-License-Identifier: Apache-2.0
"""The fleet's posture as Placement knows it: who has passed what."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from oslo_utils import uuidutils

from nova_vhard.catalogue import traits
from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.catalogue.profiles import PROFILES, Profile
from nova_vhard.catalogue.results import TRAITS as RESULTS
from nova_vhard.catalogue.results import UNKNOWN, decode
from nova_vhard.placement.client import Placement
from nova_vhard.placement.marks import named

#: The attestor also writes marks for hosts of which its verifier demands
#: nothing. These marks ended long ago; at this time, they are still valid.
UNDEMANDED = datetime.datetime.fromtimestamp(-1, datetime.UTC)

FRESH, STALE, SILENT = "fresh", "stale", "silent"

#: A host whose only trait is that of an hour counts as silent, not stale,
#: after so many hours.
_HOURS = 48


@dataclass(frozen=True)
class HostPosture:
    """The proven state of a host.

    :ivar status: FRESH, STALE (its last report is too old, and none of its
        traits counts) or SILENT (it has none of our traits)
    :ivar passed: names of the checks that it has a trait for
    :ivar reported: start of the hour (UTC) of its last report, None if
        unknown; ``fleet`` returns it only for fresh reports, and only if
        results are requested
    :ivar others: results of checks that have not passed
        (``nova_vhard.catalogue.results``), as far as requested
    :ivar attested: whether it has the attestor's trait and an unexpired mark;
        its code is not checked, because that needs the key
    :ivar undemanded: whether the attestor reports that its verifier demands
        nothing of the host
    """

    name: str
    status: str
    passed: frozenset[str]
    reported: datetime.datetime | None = None
    others: Mapping[str, str] = field(default_factory=dict)
    attested: bool = False
    undemanded: bool = False

    @property
    def proven(self) -> frozenset[str]:
        """The checks that count; none without a fresh report."""
        return self.passed if self.status == FRESH else frozenset()

    def result(self, check: str) -> str:
        """Return PASS, FAIL, UNKNOWN or NOT_APPLICABLE.

        UNKNOWN where a report is too old or says nothing.
        """
        if self.status != FRESH:
            return UNKNOWN
        if check in self.passed:
            return "PASS"
        return self.others.get(check, UNKNOWN)

    @property
    def lacks(self) -> tuple[str, ...]:
        """The checks that it has no trait for, in the catalogue's order."""
        return tuple(name for name in CHECKS if name not in self.passed)

    def meets(self) -> tuple[Profile, ...]:
        """Return the profiles of which it has proven every check."""
        return tuple(
            profile
            for profile in PROFILES.values()
            if self.proven.issuperset(profile.checks)
        )


def fleet(
    placement: Placement,
    now: datetime.datetime,
    max_age: int,
    results: bool = False,
) -> list[HostPosture]:
    """Return every compute node, sorted by name.

    Requests: about five, two for attestation, and one for each check whose
    name exists. Their number does not grow with the fleet.

    :param now: aware time
    :param max_age: whole hours; an older report is stale
    :param results: whether to ask what hosts say of checks that have not
        passed, and in which hour: one request more for each answer and each
        hour of fresh reports whose name exists
    :raises PlacementError: without an answer that makes sense
    """
    hours = traits.hours(now, -_HOURS, 2)
    wanted = {traits.ATTESTED, *hours, *map(traits.of_check, CHECKS)}
    known = placement.known(wanted.union(RESULTS if results else ()))
    hosts = placement.providers({"COMPUTE_NODE"})
    reported = _with_any(placement, known, traits.fresh(now, max_age))
    passed = {
        name: _with_any(placement, known, [traits.of_check(name)])
        for name in CHECKS
    }
    hour = {
        host.uuid: traits.hour_of(name)
        for name in sorted(known.intersection(traits.fresh(now, max_age)))
        if results
        for host in placement.providers({name})
    }
    ever = _with_any(placement, known, hours).union(*passed.values())
    others: dict[str, set[str]] = {}
    for name in known.intersection(RESULTS):
        for host in placement.providers({name}):
            others.setdefault(host.uuid, set()).add(name)
    attested = _with_any(placement, known, [traits.ATTESTED])
    marks = placement.marks() if traits.ATTESTED in known else frozenset()
    attested &= named(marks, now)
    undemanded = named(marks, UNDEMANDED)
    return [
        HostPosture(
            host.name,
            _status(host.uuid in reported, host.uuid in ever),
            frozenset(check for check in CHECKS if host.uuid in passed[check]),
            hour.get(host.uuid),
            decode(others.get(host.uuid, ())),
            attested=host.uuid in attested,
            undemanded=host.uuid in undemanded,
        )
        for host in sorted(hosts, key=lambda item: item.name)
    ]


def one_host(
    placement: Placement, name: str, now: datetime.datetime, max_age: int
) -> HostPosture:
    """Return one host, in two requests, or three where it may be attested.

    :param name: name or uuid of its resource provider
    :raises ProviderNotFound: if there is none
    """
    by_uuid = uuidutils.is_uuid_like(name)
    result = placement.provider(name if by_uuid else None, name)
    has, _ = placement.traits_of(result.uuid)
    attested = traits.ATTESTED in has and (
        result.uuid in named(placement.marks(), now)
    )
    ours = [
        item
        for item in has - {traits.ATTESTED}
        if item.startswith(traits.PREFIX)
    ]
    hours = [hour for item in ours if (hour := traits.hour_of(item))]
    return HostPosture(
        result.name,
        _status(not has.isdisjoint(traits.fresh(now, max_age)), bool(ours)),
        frozenset(check for check in CHECKS if traits.of_check(check) in has),
        max(hours, default=None),
        decode(has),
        attested,
    )


def _with_any(
    placement: Placement, known: frozenset[str], wanted: Iterable[str]
) -> frozenset[str]:
    """Return the hosts with any of some traits, of those that exist."""
    names = known.intersection(wanted)
    providers = placement.providers((), names) if names else ()
    return frozenset(provider.uuid for provider in providers)


def _status(reported: bool, ever: bool) -> str:
    if reported:
        return FRESH
    return STALE if ever else SILENT
