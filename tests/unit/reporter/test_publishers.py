# SPDX-License-Identifier: Apache-2.0
"""Publishers that write files, and one report to all publishers."""

import contextlib
import datetime
import json
import os
import resource
import signal
import stat
import sys

import pytest
from oslo_config import cfg
from prometheus_client.parser import text_string_to_metric_families

from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.daemon.interrupts import TimeLimit
from nova_vhard.host.check import Result, Status
from nova_vhard.host.report import HostReport
from nova_vhard.reporter import publishing
from nova_vhard.reporter.publishers.base import (
    Publisher,
    PublishError,
    Record,
)
from nova_vhard.reporter.publishers.json_file import JsonPublisher
from nova_vhard.reporter.publishers.prometheus import PrometheusPublisher

NOW = datetime.datetime(2026, 6, 15, 12, 30, tzinfo=datetime.UTC)
REPORT = HostReport(
    NOW,
    (
        Result(
            "iommu",
            Status.PASS,
            "it is on",
            ("/sys: 1",),
            id="Check-Virt-01",
        ),
        Result(
            "kernel_aslr",
            Status.UNKNOWN,
            "why",
            (),
            "do this",
            "Check-Virt-15",
        ),
    ),
    {"iommu": 0.25, "kernel_aslr": 60.0},
)
OTHER = HostReport(NOW, ())


@pytest.fixture
def conf(tmp_path):
    conf = cfg.ConfigOpts()
    conf([], project="test")
    reporter_conf.register(conf)
    for name in ("state_path", "textfile_directory"):
        conf.set_override(name, str(tmp_path), "vhard_reporter")
    return conf


@pytest.fixture(params=[JsonPublisher, PrometheusPublisher])
def publisher(request, conf):
    return request.param(conf)


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_json_has_evidence_and_times(conf, tmp_path):
    publisher = JsonPublisher(conf)
    assert publisher.path == str(tmp_path / "report.json")
    publisher.publish(REPORT)
    with open(publisher.path) as file:
        result = json.load(file)
    assert result["time"] == "2026-06-15T12:30:00+00:00"
    assert result["results"] == [
        {
            "id": "Check-Virt-01",
            "check": "iommu",
            "status": "PASS",
            "reason": "it is on",
            "evidence": ["/sys: 1"],
            "remediation": None,
            "seconds": 0.25,
        },
        {
            "id": "Check-Virt-15",
            "check": "kernel_aslr",
            "status": "UNKNOWN",
            "reason": "why",
            "evidence": [],
            "remediation": "do this",
            "seconds": 60.0,
        },
    ]


def test_json_goes_where_the_option_says(conf, tmp_path):
    place = tmp_path / "elsewhere.json"
    conf.set_override("report_file", str(place), "vhard_reporter")
    JsonPublisher(conf).publish(REPORT)
    assert json.loads(place.read_text())["results"]


def samples(publisher):
    with open(publisher.path) as file:
        families = text_string_to_metric_families(file.read())
        return {
            (each.name, tuple(sorted(each.labels.items()))): each.value
            for family in families
            for each in family.samples
        }


def test_prometheus_has_a_gauge_a_check_and_status(conf, tmp_path):
    publisher = PrometheusPublisher(conf)
    publisher.record = Record(
        {"placement": 3, "json": 0}, {"json": 7.0}, days_ahead=6
    )
    publisher.publish(REPORT)
    assert publisher.path == str(tmp_path / "nova_vhard.prom")
    result = samples(publisher)
    checks = {
        dict(labels)["check"]: dict(labels)["status"]
        for (name, labels), value in result.items()
        if name == "nova_vhard_check" and value == 1
    }
    assert checks == {"iommu": "PASS", "kernel_aslr": "UNKNOWN"}
    gauges = [each for each in result if each[0] == "nova_vhard_check"]
    assert len(gauges) == 2 * len(Status)
    assert {result[each] for each in gauges} == {0, 1}
    rest = {each: result[each] for each in result.keys() - set(gauges)}
    assert rest == {
        ("nova_vhard_report_timestamp_seconds", ()): NOW.timestamp(),
        ("nova_vhard_names_days_ahead", ()): 6,
        (
            "nova_vhard_check_duration_seconds",
            (("check", "iommu"),),
        ): 0.25,
        (
            "nova_vhard_check_duration_seconds",
            (("check", "kernel_aslr"),),
        ): 60,
        (
            "nova_vhard_published_timestamp_seconds",
            (("publisher", "json"),),
        ): 7,
        (
            "nova_vhard_publish_errors_total",
            (("publisher", "json"),),
        ): 0,
        (
            "nova_vhard_publish_errors_total",
            (("publisher", "placement"),),
        ): 3,
    }


def test_modes_do_not_depend_on_the_umask(conf):
    before = os.umask(0o077)
    try:
        JsonPublisher(conf).publish(REPORT)
        PrometheusPublisher(conf).publish(REPORT)
    finally:
        os.umask(before)
    assert mode(JsonPublisher(conf).path) == 0o640
    assert mode(PrometheusPublisher(conf).path) == 0o644


@contextlib.contextmanager
def full_disk():
    """Let no file grow longer than 100 bytes, by the kernel's own limit."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_write_that_fails_leaves_the_old_file(publisher, tmp_path):
    publisher.publish(REPORT)
    with open(publisher.path, "rb") as file:
        before = file.read()
    with full_disk(), pytest.raises(PublishError, match="too large"):
        publisher.publish(REPORT)
    with open(publisher.path, "rb") as file:
        assert file.read() == before
    assert os.listdir(tmp_path) == [os.path.basename(publisher.path)]


def test_a_folder_that_is_not_there_is_named(publisher, conf):
    for name in ("state_path", "textfile_directory"):
        conf.set_override(name, "/nowhere", "vhard_reporter")
    with pytest.raises(PublishError, match=r"/nowhere/.*: No such file"):
        publisher.publish(REPORT)


def test_a_publisher_that_is_broken_off_leaves_no_half_file(
    publisher, tmp_path, monkeypatch
):
    def interrupt(handle):
        raise TimeLimit

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(TimeLimit):
        publisher.publish(REPORT)
    assert os.listdir(tmp_path) == []


class Fails(Publisher):
    name = "fails"

    def __init__(self, conf, error):
        super().__init__(conf)
        self.error = error

    def publish(self, report):
        raise self.error


def test_one_failure_does_not_stop_the_others_and_is_counted(conf):
    record = Record()
    ours = JsonPublisher(conf)
    metrics = PrometheusPublisher(conf)
    for error in (PublishError("down"), KeyError("x"), TimeLimit()):
        broken = Fails(conf, error)
        failed = publishing.publish(
            REPORT, [broken, ours, metrics], record, contextlib.nullcontext
        )
        assert list(failed) == ["fails"]
    assert record.errors == {"fails": 3, "json": 0, "prometheus": 0}
    assert record.published.keys() == {"json", "prometheus"}
    result = samples(metrics)
    name = "nova_vhard_publish_errors_total"
    assert result[name, (("publisher", "fails"),)] == 3
    assert result[name, (("publisher", "json"),)] == 0


def test_the_configured_ones_are_loaded_the_metrics_last(conf):
    names = ["prometheus", "json", "placement"]
    conf.set_override("publishers", names, "vhard_reporter")
    result = publishing.publishers(conf)
    assert [each.name for each in result] == [
        "json",
        "placement",
        "prometheus",
    ]


def test_one_that_cannot_be_loaded_is_named_with_the_reason(conf, monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(
        sys.modules,
        "nova_vhard.reporter.publishers.prometheus",
    )
    conf.set_override("publishers", ["prometheus"], "vhard_reporter")
    with pytest.raises(ValueError, match=r"prometheus cannot be .*\[node\]"):
        publishing.publishers(conf)
