# SPDX-License-Identifier: Apache-2.0
"""The attestor's metrics: a file for node_exporter's textfile collector."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from nova_vhard.common import files

#: node_exporter runs as a user of its own.
MODE = 0o644

FILE = "nova_vhard_attestor.prom"

_ERRORS = ("mapping", "verifier", "placement", "host")


@dataclass
class Numbers:
    """Counters since the start of the attestor.

    :ivar hosts: name of each host of the mapping to whether it is attested
    :ivar round_at: end of the last round, in seconds since the epoch
    :ivar answered_at: when the verifier last answered; 0 for never
    :ivar withdrawn: how many times a host has lost its trait
    :ivar void_marks: marks without a valid code
    :ivar errors: number of errors by what could not be read or written
    """

    hosts: dict[str, bool] = field(default_factory=dict)
    round_at: float = 0.0
    answered_at: float = 0.0
    withdrawn: int = 0
    void_marks: int = 0
    errors: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(_ERRORS, 0)
    )


def write(folder: str, numbers: Numbers) -> None:
    """Replace the file in one step.

    :param folder: which must be there
    :raises OSError: if it cannot be written; the old one stays
    """
    registry = CollectorRegistry()
    registry.register(_Metrics(numbers))
    text = generate_latest(registry).decode()
    files.replace(os.path.join(folder, FILE), text, MODE)


class _Metrics(Collector):
    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; the documentation lists them."""
        numbers = self._numbers
        hosts = GaugeMetricFamily(
            "nova_vhard_attested",
            "1 for a host of the mapping that is attested, 0 for another.",
            labels=("host",),
        )
        for name, attested in sorted(numbers.hosts.items()):
            hosts.add_metric((name,), float(attested))
        yield hosts
        for name, what, value in (
            ("round", "the last round ended", numbers.round_at),
            ("answer", "the verifier answered", numbers.answered_at),
        ):
            yield GaugeMetricFamily(
                f"nova_vhard_attestor_{name}_timestamp_seconds",
                f"When {what}, in seconds since the epoch; 0 for never.",
                value=value,
            )
        for name, what, value in (
            ("withdrawn", "A host has lost its trait", numbers.withdrawn),
            ("void_marks", "A mark had no code of ours", numbers.void_marks),
        ):
            yield CounterMetricFamily(
                f"nova_vhard_attestor_{name}",
                f"{what}, so many times since the start.",
                value=value,
            )
        errors = CounterMetricFamily(
            "nova_vhard_attestor_errors",
            "What could not be had or written since the start.",
            labels=("of",),
        )
        for name, count in numbers.errors.items():
            errors.add_metric((name,), count)
        yield errors
