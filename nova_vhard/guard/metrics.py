# SPDX-License-Identifier: Apache-2.0
"""Metrics of the guard, for node_exporter's textfile collector."""

import collections
import os
import threading
import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from nova_vhard.common import files

#: node_exporter runs as a user of its own.
MODE = 0o644

FILE = "nova_vhard_guard.prom"

DETACHED = "detached"
KEPT = "kept"


class Metrics(Collector):
    """Counts of one daemon; safe to use by several threads.

    :ivar rejected: connections that were closed unanswered
    :ivar guests: guests that are remembered
    :ivar connected: whether libvirt is reached
    :ivar usable: whether the policy file can be used as it is
    :ivar guarded: what the last probe came to; None before the first
    :ivar proven: when that was, in seconds since the epoch
    """

    def __init__(self) -> None:
        self.rejected = 0
        self.guests = 0
        self.connected = False
        self.usable = False
        self.guarded: bool | None = None
        self.proven = 0.0
        self._lock = threading.Lock()
        self._decisions: collections.Counter[tuple[str, str]] = (
            collections.Counter()
        )
        self._hot_plugs = collections.Counter({DETACHED: 0, KEPT: 0})

    def decided(self, operation: str, outcome: str) -> None:
        """Count a judgement."""
        with self._lock:
            self._decisions[operation, outcome] += 1

    def plugged(self, result: str) -> None:
        """Count a device that was to be taken from a guest.

        :param result: DETACHED or KEPT
        """
        with self._lock:
            self._hot_plugs[result] += 1

    def write(self, folder: str) -> None:
        """Replace the file in one step.

        :raises OSError: if it cannot be written; the old one stays
        """
        registry = CollectorRegistry()
        registry.register(self)
        text = generate_latest(registry).decode()
        files.replace(os.path.join(folder, FILE), text, MODE)

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; the documentation lists them."""
        decisions = CounterMetricFamily(
            "nova_vhard_guard_decisions",
            "Guests and devices that were judged.",
            labels=("operation", "outcome"),
        )
        plugged = CounterMetricFamily(
            "nova_vhard_guard_hot_plugs",
            "Devices that were to be taken from running guests.",
            labels=("result",),
        )
        with self._lock:
            for labels, count in sorted(self._decisions.items()):
                decisions.add_metric(labels, count)
            for result, count in sorted(self._hot_plugs.items()):
                plugged.add_metric((result,), count)
        yield decisions
        yield plugged
        yield CounterMetricFamily(
            "nova_vhard_guard_clients_rejected",
            "Connections to the socket that were closed unanswered.",
            value=self.rejected,
        )
        gauges: list[tuple[str, str, float]] = [
            ("guests", "Guests that are remembered.", self.guests),
            ("libvirt_connected", "1 if libvirt is reached.", self.connected),
            (
                "policy_usable",
                "1 if the policy file can be used.",
                self.usable,
            ),
            (
                "timestamp_seconds",
                "When this was written, in seconds since the epoch.",
                time.time(),
            ),
        ]
        if self.guarded is not None:
            gauges += [
                (
                    "in_force",
                    "1 if libvirt asked the guard at its last probe.",
                    self.guarded,
                ),
                (
                    "probe_timestamp_seconds",
                    "When that was, in seconds since the epoch.",
                    self.proven,
                ),
            ]
        for name, text, value in gauges:
            yield GaugeMetricFamily(f"nova_vhard_guard_{name}", text, value)
