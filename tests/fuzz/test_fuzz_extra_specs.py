# SPDX-License-Identifier: Apache-2.0
"""Odd values of our extra specs, at Nova's own validator."""

import contextlib

from nova import exception
from nova.api.validation.extra_specs import validators

from nova_vhard.catalogue.checks import CHECKS
from tests.fuzz.mutate import patience
from tests.fuzz.odd import HUGE, TEXTS

GLUE = (",", " , ", ",,", "\n,", " " * 5000, "," * 5000, "x", "\u00a0,")
NAMES = (*CHECKS, next(iter(CHECKS)).upper(), "", HUGE)
VALUES = {*TEXTS, *(f"{each}," * 500 for each in CHECKS)} | {
    f"{NAMES[at]}{glue}{name}" * times
    for at, name in enumerate(NAMES)
    for glue in GLUE
    for times in (1, 3)
}


def test_only_a_list_of_names_is_accepted() -> None:
    """Nova responds with 400 to anything else, without a delay."""
    accepted = set()
    for value in VALUES:
        with contextlib.suppress(exception.ValidationError), patience():
            validators.validate("vhard:require", value)
            accepted.add(value)
    names = {name.strip() for each in accepted for name in each.split(",")}
    assert names == CHECKS.keys()
