# SPDX-License-Identifier: Apache-2.0
"""The seed of the generated tests, and how many examples they try.

``NOVA_VHARD_SEED`` is a number, or ``random`` for a new one; it is printed at
the top of the run and repeats it.  ``NOVA_VHARD_EXAMPLES`` is the number of
examples of each differential test and of mutated policies,
``NOVA_VHARD_FUZZ`` that of the inputs of each fuzzed gate.
"""

import os
import random
from collections.abc import Callable
from typing import Any

_FIXED = "20261125"


def _seed() -> int:
    """Return the seed; the processes of one run share it."""
    wanted = os.environ.get("NOVA_VHARD_SEED") or _FIXED
    if wanted == "random":
        wanted = str(random.SystemRandom().randrange(2**32))
    os.environ["NOVA_VHARD_SEED"] = wanted
    return int(wanted)


SEED = _seed()


def fuzz_inputs(fewer: int) -> int:
    """Return how many inputs to try: as many as asked for, else fewer."""
    return int(os.environ.get("NOVA_VHARD_FUZZ") or fewer)


def examples(fewer: int) -> int:
    """Return how many examples to try: as many as asked for, else fewer."""
    return int(os.environ.get("NOVA_VHARD_EXAMPLES") or fewer)


def searched(strategy: Any, fewer: int) -> Callable[[Any], Any]:
    """Decorate a test that searches for a difference, starting at the seed.

    :param strategy: strategy from which hypothesis generates the examples
    :param fewer: number of examples to try by default
    """
    import hypothesis

    settings = hypothesis.settings(
        max_examples=examples(fewer),
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        print_blob=True,
    )

    def decorate(test: Any) -> Any:
        result = hypothesis.given(strategy)(test)
        return settings(hypothesis.seed(SEED)(result))

    return decorate
