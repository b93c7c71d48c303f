# SPDX-License-Identifier: Apache-2.0
"""Publisher ``prometheus``: a file for node_exporter's textfile collector."""

import os
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from nova_vhard.common import files
from nova_vhard.host.check import Status
from nova_vhard.host.report import HostReport
from nova_vhard.reporter.publishers.base import (
    Publisher,
    PublishError,
    Record,
)

#: node_exporter runs as a user of its own.
MODE = 0o644

FILE = "nova_vhard.prom"


class PrometheusPublisher(Publisher):
    """One file, replaced by each report. It goes last."""

    name = "prometheus"
    last = True

    @property
    def path(self) -> str:
        """Where the metrics go."""
        return os.path.join(self.conf.vhard_reporter.textfile_directory, FILE)

    def publish(self, report: HostReport) -> None:
        """Replace the file in one step.

        :raises PublishError: if it cannot be written; the old one stays
        """
        registry = CollectorRegistry()
        registry.register(_Metrics(report, self.record))
        try:
            # prometheus_client's own write_to_textfile leaves the mode to
            # the umask, with which node_exporter could not read it.
            files.replace(self.path, generate_latest(registry).decode(), MODE)
        except OSError as error:
            raise PublishError(f"{self.path}: {error.strerror}") from error


class _Metrics(Collector):
    """A report as metrics."""

    def __init__(self, report: HostReport, record: Record) -> None:
        self._report = report
        self._record = record

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; the documentation lists them."""
        checks = GaugeMetricFamily(
            "nova_vhard_check",
            "1 for the status that a check has, 0 for the others.",
            labels=("check", "status"),
        )
        for item in self._report.results:
            for status in Status:
                checks.add_metric(
                    (item.check, status.value), float(item.status is status)
                )
        yield checks
        durations = GaugeMetricFamily(
            "nova_vhard_check_duration_seconds",
            "Seconds that a check took.",
            labels=("check",),
        )
        for name, seconds in self._report.seconds.items():
            durations.add_metric((name,), seconds)
        yield durations
        yield GaugeMetricFamily(
            "nova_vhard_report_timestamp_seconds",
            "When the checks ran, in seconds since the epoch.",
            value=self._report.time.timestamp(),
        )
        published = GaugeMetricFamily(
            "nova_vhard_published_timestamp_seconds",
            "When a publisher last took a report, in seconds since the epoch.",
            labels=("publisher",),
        )
        for name, time in sorted(self._record.published.items()):
            published.add_metric((name,), time)
        yield published
        failed = CounterMetricFamily(
            "nova_vhard_publish_errors",
            "Reports that a publisher could not publish since the reporter "
            "was started.",
            labels=("publisher",),
        )
        for name, errors in sorted(self._record.errors.items()):
            failed.add_metric((name,), errors)
        yield failed
        if self._record.days_ahead is not None:
            yield GaugeMetricFamily(
                "nova_vhard_names_days_ahead",
                "Days for which Placement has names for reports, 14 at most.",
                value=self._record.days_ahead,
            )
