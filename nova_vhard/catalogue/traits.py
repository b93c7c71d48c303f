# SPDX-License-Identifier: Apache-2.0
"""Names of our traits in Placement.

A passed check is ``CUSTOM_VHARD_<CHECK>``; a report's hour is
``CUSTOM_VHARD_REPORTED_<YYYYMMDDHH>`` (UTC). The reporter writes them, the
scheduler's gate asks for them. ``CUSTOM_VHARD_ATTESTED`` is the attestor's: no
reporter and no sweep writes it or takes it away.

What the cleaner says of a passthrough device, and what it is asked to do, is
``CUSTOM_VHDEV_<ADDRESS>_<WORD>`` on the root provider of its host. The prefix
is another one: neither the reporter nor a sweep takes these away.
"""

import datetime
import re

from nova_vhard.common import pci

PREFIX = "CUSTOM_VHARD_"
REPORTED = PREFIX + "REPORTED_"
ATTESTED = PREFIX + "ATTESTED"
#: Begins the names by which the attestor proves that a trait is its own.
MARK = "CUSTOM_VHATT_"

#: Nova's, on the providers of devices that are for one guest only.
ONE_TIME_USE = "HW_PCI_ONE_TIME_USE"

DEVICE = "CUSTOM_VHDEV_"

#: Requests of an operator to the cleaner, as words of a device.
REQUESTED, RELEASE, FORCED = REQUESTS = (
    "REQUESTED",
    "RELEASE",
    "FORCED",
)

# Of an address, each a part of a trait; then the word.
_FIELDS = 4
_WORD = re.compile(r"[A-Z0-9_]+")

_REQUEST = re.compile(f"({'|'.join(REQUESTS)})(?:_G([0-9]{{1,10}}))?")

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


def of_device(address: str, word: str) -> str:
    """Return a word about a device.

    ``0000:0a:00.1``, ``held`` to ``CUSTOM_VHDEV_0000_0A_00_1_HELD``.
    """
    text = re.sub(r"[^A-Z0-9]", "_", f"{address}_{word}".upper())
    return DEVICE + text


def device_of(trait: str) -> tuple[str, str] | None:
    """Return the address and the word of a device's trait, or None."""
    parts = trait.removeprefix(DEVICE).split("_", _FIELDS)
    if not trait.startswith(DEVICE) or len(parts) <= _FIELDS:
        return None
    domain, bus, slot, function, word = parts
    address = pci.address(f"{domain}:{bus}:{slot}.{function}")
    return (address, word) if address and _WORD.fullmatch(word) else None


def request_word(name: str, generation: int) -> str:
    """Return the word of a request: ``FORCED``, 17 to ``FORCED_G17``.

    :param name: one of REQUESTS
    :param generation: of the device's provider, which the request is for
    """
    return f"{name}_G{generation}"


def request_of(word: str) -> tuple[str, int | None] | None:
    """Return a request's name and generation, None for another word.

    Without a generation a request is for no moment, and is void.
    """
    match = _REQUEST.fullmatch(word)
    if not match:
        return None
    name, generation = match.groups()
    return name, None if generation is None else int(generation)
