# SPDX-License-Identifier: Apache-2.0
"""Words about one-time-use devices, and the traits that carry them.

What the cleaner says of a device, and what it is asked to do, is
``CUSTOM_VHDEV_<ADDRESS>_<WORD>`` on the root provider of its host. The prefix
is another one than that of checks: neither the reporter nor a sweep takes
these away. An administrator makes the names: "host enroll" those of a host's
devices with the words that are listed here, and a request its own, which stays
until the last host is withdrawn.
"""

import re

from nova_vhard.common import pci

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

WORDS = {
    "ATTEMPTS": "every cleaning attempt was interrupted",
    "CLEAN": "clean; waits for 'openstack vhard device release'",
    "CLEANING": "cleaning was interrupted and starts again",
    "DIRTY": "used; waits to be cleaned",
    "ERROR": "its state is unknown: Placement, its journal or its lock "
    "cannot be used",
    "FAILED": "a cleaning step failed; nova-vhard-cleaner show on the host "
    "has the evidence",
    "GONE": "the host has no such device",
    "HELD": "a guest or a process uses it, although it is not allocated in "
    "Placement",
    "JOURNAL": "its journal was damaged; it is cleaned as a precaution",
    "KEPT": "the host's configuration excludes it from cleaning",
    "NO_RULE": "no entry in the host's cleaning.yaml matches it",
    "REFUSED": "a request was refused; see the log of the host's cleaner",
    "RULES": "the host's cleaning.yaml is missing or invalid",
    "UNKNOWN": "it is unknown whether a guest uses it",
    "UNREADABLE": "the host's kernel cannot identify it",
    "VF": "it is a virtual function, which cannot be one_time_use",
    "VOID": "it changed after its cleaning; it is cleaned again",
}


def of_device(address: str, word: str) -> str:
    """Return a word about a device.

    ``0000:0a:00.1``, ``held`` to ``CUSTOM_VHDEV_0000_0A_00_1_HELD``.
    """
    return DEVICE + re.sub(r"[^A-Z0-9]", "_", f"{address}_{word}".upper())


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
