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


def requirement(mutator: Mutator) -> str:
    """Return odd text, mostly of names of checks."""
    names = (*CHECKS, *(name.upper() for name in CHECKS), "", HUGE)
    parts = [mutator.one_of(tuple(CHECKS) if mutator.chance(0.9) else names)]
    for _ in range(mutator.random.randint(0, 4)):
        parts += [mutator.one_of(GLUE[:2] if mutator.chance(0.8) else GLUE)]
        parts += [
            mutator.one_of(tuple(CHECKS) if mutator.chance(0.9) else names)
        ]
    if mutator.chance(0.05):
        parts *= 500
    return mutator.one_of(TEXTS) if mutator.chance(0.1) else "".join(parts)


def test_fuzz_of_the_extra_spec() -> None:
    """A list of names is accepted; Nova answers 400 to anything else."""
    result: Counter[str] = Counter()
    for number in range(INPUTS):
        mutator = Mutator(number)
        value = requirement(mutator)
        with patience():
            try:
                validators.validate("vhard:require", value)
            except exception.ValidationError:
                result["refused"] += 1
                continue
        names = {name.strip() for name in value.split(",")}
        assert names <= CHECKS.keys(), (mutator.name, value[:200])
        result["accepted"] += 1
    print(seeds.SEED, result)
    assert result["accepted"] and result["refused"], result
