# SPDX-License-Identifier: Apache-2.0
"""Odd values of our extra specs, at Nova's own validator."""

from collections import Counter

from nova import exception
from nova.api.validation.extra_specs import validators

from nova_vhard.catalogue.checks import CHECKS
from tests import seeds
from tests.fuzz.mutate import Mutator, patience
from tests.fuzz.odd import HUGE, TEXTS

INPUTS = seeds.fuzz_inputs(2_000)
GLUE = (",", " , ", ",,", "\n,", " " * 5000, "," * 5000, "x", "\u00a0,")


def requirement(one: Mutator) -> str:
    """Return odd text, mostly of names of checks."""
    names = (*CHECKS, *(name.upper() for name in CHECKS), "", HUGE)
    parts = [one.one_of(tuple(CHECKS) if one.chance(0.9) else names)]
    for _ in range(one.random.randint(0, 4)):
        parts += [one.one_of(GLUE[:2] if one.chance(0.8) else GLUE)]
        parts += [one.one_of(tuple(CHECKS) if one.chance(0.9) else names)]
    if one.chance(0.05):
        parts *= 500
    return one.one_of(TEXTS) if one.chance(0.1) else "".join(parts)


def test_fuzz_of_the_extra_spec() -> None:
    """What is accepted is a list of names; all else is Nova's own 400."""
    found: Counter[str] = Counter()
    for number in range(INPUTS):
        one = Mutator(number)
        value = requirement(one)
        with patience():
            try:
                validators.validate("vhard:require", value)
            except exception.ValidationError:
                found["refused"] += 1
                continue
        names = {name.strip() for name in value.split(",")}
        assert names <= CHECKS.keys(), (one.name, value[:200])
        found["accepted"] += 1
    print(seeds.SEED, found)
    assert found["accepted"] and found["refused"], found
