# SPDX-License-Identifier: Apache-2.0
"""What is counted, in the words of Prometheus.

A log line is an outsider's text. Labels have values from known sets only,
``other`` for anything else, so that nobody can make more of them.
"""

from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
)

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.gates import GATES
from nova_vhard.cmd.exporter.lines import Decision
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


class Metrics:
    """The metrics of one exporter.

    :param files: paths of the logs that are followed
    """

    def __init__(self, files: Iterable[str]) -> None:
        """Make them, each series that is usual with 0."""
        self.registry = CollectorRegistry()
        self._make_of_decisions()
        self._make_of_files(files)

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

    def _make_of_files(self, files: Iterable[str]) -> None:
        def counter(name: str, text: str) -> Counter:
            """Return a counter of a file."""
            return Counter(name, text, ("file",), registry=self.registry)

        self._unreadable = counter(
            "nova_vhard_log_lines_unreadable",
            "Lines that should be decision events and cannot be read.",
        )
        self._errors = counter(
            "nova_vhard_log_errors",
            "Times that a log was not there or could not be read.",
        )
        self._unusable = counter(
            "nova_vhard_policy_unusable",
            "Times that a service logged that its policy cannot be used.",
        )
        self._followed = Gauge(
            "nova_vhard_log_followed",
            "1 if a log could be read when it was last tried, else 0.",
            ("file",),
            registry=self.registry,
        )
        for file in files:
            for item in (self._unreadable, self._errors, self._unusable):
                item.labels(file)
            self._followed.labels(file)

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

    def unreadable(self, file: str) -> None:
        """Count a line that should be an event and is none."""
        self._unreadable.labels(file).inc()

    def unusable(self, file: str) -> None:
        """Count a service's word that its policy cannot be used."""
        self._unusable.labels(file).inc()

    def followed(self, file: str, well: bool) -> None:
        """Say whether a log could be read; count if not."""
        self._followed.labels(file).set(well)
        if not well:
            self._errors.labels(file).inc()


def _known(value: str, known: tuple[str, ...]) -> str:
    return value if value in known else OTHER
