# SPDX-License-Identifier: Apache-2.0
"""Traits that tell a check which failed from one that nobody could answer.

``CUSTOM_VHSTATUS_12_F`` says that Check-Virt-12 is FAIL; ``U`` is UNKNOWN and
``N`` is NOT_APPLICABLE. A check that has passed has its own trait and none of
these. They are written together with the traits of the checks that passed, and
only those prove anything. The names are short, because Nova asks Placement for
all traits of a host in one URL.
"""

from collections.abc import Iterable, Mapping

from nova_vhard.catalogue.checks import OURS

#: Differs from the prefix of the traits that prove something.
PREFIX = "CUSTOM_VHSTATUS_"

UNKNOWN = "UNKNOWN"

#: Each trait to the name of its check and the result. The checks of other
#: packages have no number, and no trait here.
TRAITS: Mapping[str, tuple[str, str]] = {
    f"{PREFIX}{number[-2:]}_{status[0]}": (name, status)
    for name, number in OURS.items()
    for status in ("FAIL", UNKNOWN, "NOT_APPLICABLE")
}


def encode(statuses: Mapping[str, str]) -> frozenset[str]:
    """Return the traits of the checks that have not passed.

    :param statuses: name of a check to ``PASS``, ``FAIL``, ``UNKNOWN`` or
        ``NOT_APPLICABLE``
    """
    return frozenset(
        trait
        for trait, (name, status) in TRAITS.items()
        if statuses.get(name) == status
    )


def decode(traits: Iterable[str]) -> dict[str, str]:
    """Return the results that traits stand for.

    :param traits: any of a provider's
    :returns: name of a check to ``FAIL``, ``UNKNOWN`` or ``NOT_APPLICABLE``;
        UNKNOWN where they contradict each other
    """
    result: dict[str, str] = {}
    for name, status in filter(None, map(TRAITS.get, traits)):
        known = result.setdefault(name, status)
        result[name] = status if known == status else UNKNOWN
    return result
