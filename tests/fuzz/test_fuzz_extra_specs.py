# SPDX-License-Identifier: Apache-2.0
"""Odd values of our extra specs, at Nova's own validator."""

from nova import exception
from nova.api.validation.extra_specs import validators

from nova_vhard.catalogue.checks import CHECKS
from tests import seeds
from tests.fuzz.mutate import Mutator, patience, tried
from tests.fuzz.odd import HUGE, TEXTS

INPUTS = seeds.fuzz_inputs(400)
GLUE = (",", " , ", ",,", "\n,", " " * 5000, "," * 5000, "x", "\u00a0,")


NAMES = tuple(CHECKS)
ODD_NAMES = (*NAMES, *map(str.upper, NAMES), "", HUGE)


def requirement(mutator: Mutator) -> str:
    """Return odd text, mostly of names of checks."""
    if mutator.chance(0.1):
        return str(mutator.one_of(TEXTS))
    parts: list[str] = []
    for _ in range(mutator.random.randint(1, 5)):
        parts += [
            mutator.one_of(NAMES if mutator.chance(0.9) else ODD_NAMES),
            mutator.one_of(GLUE[:2] if mutator.chance(0.8) else GLUE),
        ]
    return "".join(parts[:-1]) * (500 if mutator.chance(0.05) else 1)


def outcome(mutator: Mutator) -> str:
    """Return whether Nova accepts a value; only a list of names is one."""
    value = requirement(mutator)
    with patience():
        try:
            validators.validate("vhard:require", value)
        except exception.ValidationError:
            return "refused"
    names = {name.strip() for name in value.split(",")}
    assert names <= CHECKS.keys(), (mutator.name, value[:200])
    return "accepted"


def test_fuzz_of_the_extra_spec() -> None:
    """A list of names is accepted; Nova answers 400 to anything else."""
    assert len(tried(outcome, INPUTS)) == 2
