# SPDX-License-Identifier: Apache-2.0
"""Words about one-time-use devices, and the traits that carry them.

What the cleaner says of a device, and what it is asked to do, is
``CUSTOM_VHDEV_<ADDRESS>_<WORD>`` on the root provider of its host. The prefix
is another one than that of checks: neither the reporter nor a sweep takes
these away. A word that is not listed here is the name of the cleaning step
that did not end clean.
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
    "ATTEMPTS": "cleanings were begun again and again and none got through",
    "CLEAN": "clean, and waits for 'openstack vhard device release'",
    "CLEANING": "a cleaning was broken off, and is begun again",
    "DIRTY": "used, and waits to be cleaned",
    "ERROR": "Placement, the journal or its lock does not let it be judged",
    "GONE": "there is no such device on the host",
    "HELD": "a guest or a process has it, although nothing is allocated",
    "JOURNAL": "its journal was damaged, and it is cleaned to be sure",
    "KEPT": "the host's configuration says to leave it as it is",
    "NO_RULE": "no entry of the host's cleaning.yaml is for it",
    "REFUSED": "a request was refused; the host's log says why",
    "RULES": "the host's cleaning.yaml is missing or has a fault",
    "UNKNOWN": "it cannot be told whether a guest has it",
    "UNREADABLE": "the host's kernel does not tell what it is",
    "VF": "it is a virtual function, which is never for one use only",
    "VOID": "something happened to it; it is cleaned again",
}

#: Of these an operator's request may be the only way out.
FAILED = "step {} did not end clean; its evidence is on the host"


def meaning(word: str) -> str:
    """Return what a word means."""
    return WORDS.get(word) or FAILED.format(word.lower())


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
