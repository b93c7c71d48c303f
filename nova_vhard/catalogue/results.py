# SPDX-License-Identifier: Apache-2.0
"""Traits that tell a check which failed from one that nobody could answer.

``CUSTOM_VHSTATUS_12_FUNP`` says of the checks with the numbers 12 to 15, in
their order: FAIL, UNKNOWN, NOT_APPLICABLE, PASS; X stands for a number that no
check has. A host has one for each four numbers, a dozen at most, and their
names are few: Placement never forgets one by itself. They are written together
with the traits of the checks that passed, and only these prove anything.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from nova_vhard.catalogue.checks import CHECKS

#: Not that of the traits of passed checks, which Placement is asked for all
#: at once.
PREFIX = "CUSTOM_VHSTATUS_"

UNKNOWN = "UNKNOWN"

_LETTERS = {
    letter[0]: letter for letter in ("FAIL", UNKNOWN, "NOT_APPLICABLE")
}
#: In place of a number that no check has.
_NONE = "X"
_GROUP = 4
_TRAIT = re.compile(f"{PREFIX}([0-9]{{2}})_([A-Z]{{{_GROUP}}})")
_NUMBER = re.compile("Check-Virt-([0-9]{2})")

#: Number of a check to its name; a check of another package has none.
_NAMES: Mapping[int, str] = {
    int(match[1]): name
    for name, number in CHECKS.items()
    if (match := _NUMBER.fullmatch(number))
}


def encode(statuses: Mapping[str, str]) -> frozenset[str]:
    """Return the traits that say what checks have come to.

    :param statuses: name of a check to ``PASS``, ``FAIL``, ``UNKNOWN`` or
        ``NOT_APPLICABLE``
    """
    groups: dict[int, list[str]] = {}
    for number, name in _NAMES.items():
        if name in statuses:
            first = number - number % _GROUP
            letters = groups.setdefault(first, [_NONE] * _GROUP)
            letters[number - first] = statuses[name][0]
    return frozenset(
        f"{PREFIX}{first:02}_{''.join(letters)}"
        for first, letters in groups.items()
    )


def decode(traits: Iterable[str]) -> dict[str, str]:
    """Return what traits say of the checks that have not passed.

    :param traits: any of a provider's
    :returns: name of a check to ``FAIL``, ``UNKNOWN`` or ``NOT_APPLICABLE``;
        UNKNOWN where they contradict each other
    """
    result: dict[str, str] = {}
    for trait in sorted(traits):
        for name, status in _of_trait(trait):
            before = result.setdefault(name, status)
            if before != status:
                result[name] = UNKNOWN
    return result


def _of_trait(trait: str) -> Iterator[tuple[str, str]]:
    """Yield names of checks and what a trait says of each, PASS as UNKNOWN.

    That it has passed the check's own trait says.
    """
    match = _TRAIT.fullmatch(trait)
    if match:
        for number, letter in enumerate(match[2], int(match[1])):
            if number in _NAMES and letter != _NONE:
                yield _NAMES[number], _LETTERS.get(letter, UNKNOWN)
