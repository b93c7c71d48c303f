# SPDX-License-Identifier: Apache-2.0
"""Processor time of this process, and what it asks of other services."""

import gc
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import requests

from tests.benchmarks.abuse_cost import Cost

#: An input is measured so often, while a try takes less than ``SLOW_S``.
TRIES, SLOW_S = 3, 0.5


def measure(spend: Callable[[], Cost]) -> Cost:
    """Return the cheapest of a few tries.

    Other load, and what a service logs now and then, only adds to them.
    """
    tries = [spend()]
    while len(tries) < TRIES and tries[-1].cpu_s < SLOW_S:
        tries.append(spend())
    return replace(
        min(tries, key=lambda cost: cost.cpu_s),
        size=min(cost.size for cost in tries),
    )


class Clock:
    """Counts the processor time of this process within its block."""

    def __enter__(self) -> "Clock":
        """Start, without the garbage of what was before."""
        gc.collect()
        self._start = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.seconds = time.process_time() - self._start


class Lookups:
    """Counts what this process asks of other services."""

    def __init__(self) -> None:
        """Stand in front of every HTTP client's connections."""
        self.count = 0
        send = requests.adapters.HTTPAdapter.send

        def counted(*args: Any, **named: Any) -> Any:
            self.count += 1
            return send(*args, **named)

        requests.adapters.HTTPAdapter.send = counted
