# SPDX-License-Identifier: Apache-2.0
"""Prometheus metrics of the exporter.

Processes that may write to the bus can send any text. Label values are from
known sets or ``other``, so that no process can create more time series.
"""

import functools
import time
from collections.abc import Iterable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from nova_vhard.catalogue import gates
from nova_vhard.catalogue.devices import KINDS
from nova_vhard.exporter.payloads import Decision, Runs
from nova_vhard.policy.hosts import (
    FLAVOR_REQUIRE,
    HOSTS_REQUIRE,
)
from nova_vhard.policy.model import Mode
from nova_vhard.policy.verdict import (
    ALLOW,
    DISABLED,
    GUEST_DEVICES,
    PASSTHROUGH_ALLOW,
    PASSTHROUGH_REQUIRE,
    REFUSE,
    UNJUDGED,
)

OTHER = "other"
#: The mode of a decision without a violation.
NONE = "none"

#: Those that send to the bus. The guard has a network of its own, an empty
#: one, and writes its own metrics.
GATES = tuple(gate for gate in gates.GATES if gate != gates.GUARD)
#: First part of the sender's publisher id.
SERVICES = ("glance-api", "nova-api", "nova-scheduler")

MODES = (*(str(mode) for mode in Mode), NONE)
#: Mode and outcome that go together: a series each, from the start on.
USUAL = (
    (NONE, ALLOW),
    (NONE, DISABLED),
    (NONE, UNJUDGED),
    (str(Mode.AUDIT), str(Mode.AUDIT)),
    (str(Mode.WARN), str(Mode.WARN)),
    (str(Mode.ENFORCE), REFUSE),
)
OUTCOMES = tuple(outcome for _, outcome in USUAL)
RULES = (
    GUEST_DEVICES,
    *(f"guest_devices.{kind}" for kind in KINDS),
    PASSTHROUGH_ALLOW,
    PASSTHROUGH_REQUIRE,
    HOSTS_REQUIRE,
    FLAVOR_REQUIRE,
)

#: Seconds. A judgement takes tens of microseconds; what takes longer than a
#: tenth of a second has waited for Placement.
_BUCKETS = (25e-6, 50e-6, 1e-4, 2.5e-4, 5e-4, 1e-3, 1e-2, 0.1, 1, 10)


#: Seconds without any notification, heartbeats among them, after which a bus
#: counts as down, and what a process runs is not known any more.
SILENCE = 60.0


#: More processes than a cloud has, and bytes of a publisher's id.
_PROCESSES = 10_000
_PUBLISHER = 256


class Metrics(Collector):
    """The metrics of one exporter.

    :param buses: names of the buses that it listens to
    """

    def __init__(self, buses: Iterable[str]) -> None:
        """Make them, each series that is usual with 0."""
        self.registry = CollectorRegistry()
        self._runs: dict[tuple[str, int], tuple[float, Runs]] = {}
        self.registry.register(self)
        self._decisions = Counter(
            "nova_vhard_decisions",
            "Requests that a gate judged.",
            ("gate", "mode", "outcome"),
            registry=self.registry,
        )
        self._violations = Counter(
            "nova_vhard_violations",
            "Violations in them, one for each rule.",
            ("gate", "rule", "mode"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "nova_vhard_decision_seconds",
            "Seconds that a judgement took.",
            ("gate",),
            registry=self.registry,
            buckets=_BUCKETS,
        )
        for gate in GATES:
            self._seconds.labels(gate)
            for mode, outcome in USUAL:
                self._decisions.labels(gate, mode, outcome)
        self._dropped = Counter(
            "nova_vhard_notifications_dropped",
            "Notifications that a service could not send.",
            ("service",),
            registry=self.registry,
        )
        for service in SERVICES:
            self._dropped.labels(service)
        self._unreadable = Counter(
            "nova_vhard_notifications_unreadable",
            "Notifications that cannot be read.",
            ("bus",),
            registry=self.registry,
        )
        self._last = Gauge(
            "nova_vhard_bus_last_message_timestamp_seconds",
            "When a service's last notification came; 0 before the first.",
            ("bus",),
            registry=self.registry,
        )
        up = Gauge(
            "nova_vhard_bus_up",
            "1 if notifications come through, heartbeats among them, else 0.",
            ("bus",),
            registry=self.registry,
        )
        # When the last notification of each came, by the monotonic clock.
        self._seen = dict.fromkeys(buses, float("-inf"))
        for bus in self._seen:
            self._unreadable.labels(bus)
            self._last.labels(bus)
            up.labels(bus).set_function(functools.partial(self._up, bus))

    def came(self, bus: str) -> None:
        """Note that something came through a bus."""
        self._seen[bus] = time.monotonic()

    def _up(self, bus: str) -> float:
        return float(time.monotonic() - self._seen[bus] < SILENCE)

    def notified(self, bus: str, service: str, dropped: int) -> None:
        """Count a service's notification, and those dropped before it."""
        self._last.labels(bus).set(time.time())
        self._dropped.labels(_known(service, SERVICES)).inc(dropped)

    def decided(self, decision: Decision) -> None:
        """Count a decision."""
        gate = _known(decision.gate, GATES)
        mode = NONE if decision.mode is None else decision.mode
        self._decisions.labels(
            gate, _known(mode, MODES), _known(decision.outcome, OUTCOMES)
        ).inc()
        for rule, strength, count in decision.violations:
            self._violations.labels(
                gate, _known(rule, RULES), _known(strength, MODES)
            ).inc(count)
        self._seconds.labels(gate).observe(decision.seconds)

    def runs(self, publisher: str, runs: Runs) -> None:
        """Note what a process runs; forget those that have fallen silent."""
        now = time.monotonic()
        known = {
            key: noted
            for key, noted in self._runs.items()
            if now - noted[0] < SILENCE
        }
        if len(known) < _PROCESSES:
            known[publisher[:_PUBLISHER], runs.process] = now, runs
        self._runs = known

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield what the services run: a collector of the registry."""
        usable = GaugeMetricFamily(
            "nova_vhard_policy_usable",
            "1 if every process of the service can use its policy file.",
            labels=("service",),
        )
        info = GaugeMetricFamily(
            "nova_vhard_policy_info",
            "1 for the policy that a process of the service judges by.",
            labels=("service", "digest"),
        )
        good: dict[str, bool] = {}
        digests = set()
        for (publisher, _), (seen, runs) in self._runs.items():
            if time.monotonic() - seen < SILENCE:
                service = _known(publisher.partition(":")[0], SERVICES)
                good[service] = good.get(service, True) and not runs.refused
                digests.add((service, runs.policy or NONE))
        for service, value in good.items():
            usable.add_metric((service,), value)
        for labels in sorted(digests):
            info.add_metric(labels, 1)
        yield usable
        yield info

    def unreadable(self, bus: str) -> None:
        """Count a notification that cannot be read."""
        self._unreadable.labels(bus).inc()


def _known(value: str, known: tuple[str, ...]) -> str:
    return value if value in known else OTHER
