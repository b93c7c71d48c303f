# SPDX-License-Identifier: Apache-2.0
"""Names of our traits in Placement.

A passed check is ``CUSTOM_VHARD_<CHECK>``; a report's hour is
``CUSTOM_VHARD_REPORTED_<YYYYMMDDHH>`` (UTC). The reporter writes them, the
scheduler's gate asks for them. ``CUSTOM_VHARD_ATTESTED`` is the attestor's: no
reporter and no sweep writes it or takes it away.
"""

import datetime

PREFIX = "CUSTOM_VHARD_"
REPORTED = PREFIX + "REPORTED_"
ATTESTED = PREFIX + "ATTESTED"
#: Begins the names by which the attestor proves that a trait is its own.
MARK = "CUSTOM_VHATT_"

#: Nova's, on the providers of devices that are for one guest only.
ONE_TIME_USE = "HW_PCI_ONE_TIME_USE"

_HOUR = datetime.timedelta(hours=1)
_FORMAT = "%Y%m%d%H"


def of_check(name: str) -> str:
    """Return the trait of a passed check: ``iommu`` to CUSTOM_VHARD_IOMMU."""
    return PREFIX + name.upper()


def of_hour(time: datetime.datetime) -> str:
    """Return the freshness trait of the hour of an aware time."""
    return REPORTED + time.astimezone(datetime.UTC).strftime(_FORMAT)


def hour_of(trait: str) -> datetime.datetime | None:
    """Return the start of a freshness trait's hour, None for another."""
    if not trait.startswith(REPORTED):
        return None
    try:
        start = datetime.datetime.strptime(trait[len(REPORTED) :], _FORMAT)
    except ValueError:
        return None
    return start.replace(tzinfo=datetime.UTC)


def fresh(time: datetime.datetime, max_age: int) -> list[str]:
    """Return the freshness traits that count at a time.

    The next hour, for a host whose clock is slightly ahead; this one; and
    the ones before it.

    :param max_age: whole hours, at least 1
    """
    return hours(time, 1 - max_age, 2)


def hours(time: datetime.datetime, first: int, end: int) -> list[str]:
    """Return the freshness traits of consecutive hours.

    :param first: hours from the time's own hour; negative for the past
    :param end: the hour after the last one, counted in the same way
    """
    return [of_hour(time + _HOUR * step) for step in range(first, end)]
