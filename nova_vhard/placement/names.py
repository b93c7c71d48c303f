# SPDX-License-Identifier: Apache-2.0
"""Trait names of reports, created in advance.

Most logins of hosts may set traits but not create trait names. So the sweep
and ``openstack vhard host enroll`` create the names for the next two weeks, as
does each reporter whose login may create them.
"""

import datetime

from nova_vhard.catalogue import results, traits
from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.placement.client import Placement

#: Days for which names are created in advance.
DAYS = 14
#: Names for fewer days are a warning.
FEW_DAYS = 7


def of_checks() -> frozenset[str]:
    """Return the names of the results of the checks that are known here."""
    return frozenset(map(traits.of_check, CHECKS)).union(results.TRAITS)


def make(placement: Placement, now: datetime.datetime) -> frozenset[str]:
    """Make the names that the reports of the next DAYS need.

    :param now: aware time
    :returns: those that are new
    :raises PlacementError: if it could not be done
    """
    wanted = of_checks().union(traits.hours(now, 0, DAYS * 24 + 1))
    new = wanted - placement.known(wanted)
    placement.create_traits(new)
    return new


def days_ahead(placement: Placement, now: datetime.datetime) -> int:
    """Return for how many days the names of hours are there, DAYS at most.

    A day counts if each of its hours has a name. Five requests.

    :param now: aware time
    :raises PlacementError: without an answer that makes sense
    """
    hours = traits.hours(now, 0, DAYS * 24)
    known = placement.known(hours)
    missing = (nth for nth, hour in enumerate(hours) if hour not in known)
    return next(missing, len(hours)) // 24
