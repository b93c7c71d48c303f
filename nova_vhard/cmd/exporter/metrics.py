# SPDX-License-Identifier: Apache-2.0
"""What is counted, in the words of Prometheus.

Whoever may write to the bus can send any text. Labels have values from known
sets only, ``other`` for anything else, so that nobody can make more of them.
"""

import time
from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
)

from nova_vhard.catalogue import gates
from nova_vhard.catalogue.devices import KINDS
from nova_vhard.cmd.exporter.payloads import Decision
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
)

OTHER = "other"
#: The mode of a decision without a violation.
NONE = "none"

#: Those that send to the bus. The guard has a network of its own, an empty
#: one, and writes its own metrics.
GATES = tuple(gate for gate in gates.GATES if gate != gates.GUARD)
#: First part of the publisher id of whoever sends.
SERVICES = ("glance-api", "nova-api", "nova-scheduler")

MODES = (*(str(mode) for mode in Mode), NONE)
#: Mode and outcome that go together: a series each, from the start on.
USUAL = (
    (NONE, ALLOW),
    (NONE, DISABLED),
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
#: counts as down.
SILENCE = 60.0


class Metrics:
    """The metrics of one exporter.

    :param buses: names of the buses that it listens to
    """

    def __init__(self, buses: Iterable[str]) -> None:
        """Make them, each series that is usual with 0."""
        self.registry = CollectorRegistry()
        self._make_of_decisions()
        self._make_of_services()
        self._make_of_buses(buses)

    def _make_of_decisions(self) -> None:
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

    def _make_of_services(self) -> None:
        self._unusable = Counter(
            "nova_vhard_policy_unusable",
            "Times that a service sent that its policy cannot be used.",
            ("service",),
            registry=self.registry,
        )
        self._dropped = Counter(
            "nova_vhard_notifications_dropped",
            "Notifications that a service could not send.",
            ("service",),
            registry=self.registry,
        )
        for service in SERVICES:
            self._unusable.labels(service)
            self._dropped.labels(service)

    def _make_of_buses(self, buses: Iterable[str]) -> None:
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
        self._alive = {bus: Alive() for bus in buses}
        for bus, alive in self._alive.items():
            self._unreadable.labels(bus)
            self._last.labels(bus)
            up.labels(bus).set_function(alive.up)

    def came(self, bus: str) -> None:
        """Note that something came through a bus."""
        self._alive[bus].seen = time.monotonic()

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

    def unusable(self, service: str) -> None:
        """Count a service's word that its policy cannot be used."""
        self._unusable.labels(_known(service, SERVICES)).inc()

    def unreadable(self, bus: str) -> None:
        """Count a notification that cannot be read."""
        self._unreadable.labels(bus).inc()


class Alive:
    """Whether a bus brings anything.

    :ivar seen: when the last notification came, by the monotonic clock
    """

    def __init__(self) -> None:
        self.seen = float("-inf")

    def up(self) -> float:
        """Return 1 if something has come lately, else 0."""
        return float(time.monotonic() - self.seen < SILENCE)


def _known(value: str, known: tuple[str, ...]) -> str:
    return value if value in known else OTHER
