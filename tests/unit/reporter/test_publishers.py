# SPDX-License-Identifier: Apache-2.0
"""Publishers that write files, and one report to all publishers."""

import contextlib
import datetime
import json
import os
import stat
import sys
from unittest import mock

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nova_vhard.daemon.interrupts import TimeLimit
from nova_vhard.host.check import Result, Status
from nova_vhard.host.report import HostReport
from nova_vhard.reporter import publishing
from nova_vhard.reporter.publishers.base import (
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


@pytest.fixture(params=[JsonPublisher, PrometheusPublisher])
def publisher(request, conf):
    return request.param(conf)


def test_json_has_evidence_and_times(conf, tmp_path):
    conf.set_override(
        "report_file", str(tmp_path / "elsewhere.json"), "vhard_reporter"
    )
    JsonPublisher(conf).publish(REPORT)
    written = json.loads((tmp_path / "elsewhere.json").read_text())
    assert written == written | {
        "time": "2026-06-15T12:30:00+00:00",
        "results": [
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
        ],
    }


def samples(publisher):
    """Return name and labels, as text, of each sample, with its value."""
    with open(publisher.path) as file:
        families = text_string_to_metric_families(file.read())
        return {
            " ".join((each.name, *each.labels.values())): each.value
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
    is_so = {"iommu": Status.PASS, "kernel_aslr": Status.UNKNOWN}
    assert samples(publisher) == {
        **{
            f"nova_vhard_check {check} {status}": is_so[check] is status
            for check in is_so
            for status in Status
        },
        "nova_vhard_report_timestamp_seconds": NOW.timestamp(),
        "nova_vhard_names_days_ahead": 6,
        "nova_vhard_check_duration_seconds iommu": 0.25,
        "nova_vhard_check_duration_seconds kernel_aslr": 60,
        "nova_vhard_published_timestamp_seconds json": 7,
        "nova_vhard_publish_errors_total json": 0,
        "nova_vhard_publish_errors_total placement": 3,
    }


def test_modes_and_places_do_not_depend_on_the_umask(publisher, tmp_path):
    before = os.umask(0o077)
    try:
        publisher.publish(REPORT)
    finally:
        os.umask(before)
    (path,) = tmp_path.iterdir()
    assert str(path) == publisher.path
    name, mode = path.name, stat.S_IMODE(path.stat().st_mode)
    modes = {"report.json": 0o640, "nova_vhard.prom": 0o644}
    assert modes[name] == mode


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (TimeLimit, TimeLimit),
        (OSError(28, "No space left on device"), PublishError),
    ],
    ids=["broken off", "a full disk"],
)
def test_a_write_that_fails_leaves_the_old_file(
    publisher, tmp_path, monkeypatch, error, raised
):
    publisher.publish(REPORT)
    (path,) = tmp_path.iterdir()
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", mock.Mock(side_effect=error))
    with pytest.raises(raised):
        publisher.publish(OTHER)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


def test_a_folder_that_is_not_there_is_named(publisher, conf):
    for name in ("state_path", "textfile_directory"):
        conf.set_override(name, "/nowhere", "vhard_reporter")
    with pytest.raises(PublishError, match=r"/nowhere/.*: No such file"):
        publisher.publish(REPORT)


def test_one_failure_does_not_stop_the_others_and_is_counted(conf):
    record = Record()
    ours = JsonPublisher(conf)
    metrics = PrometheusPublisher(conf)
    for error in (PublishError("down"), KeyError("x"), TimeLimit()):
        broken = mock.Mock(**{"publish.side_effect": error})
        broken.name = "fails"
        failed = publishing.publish(
            REPORT, [broken, ours, metrics], record, contextlib.nullcontext
        )
        assert list(failed) == ["fails"]
    assert record.errors == {"fails": 3, "json": 0, "prometheus": 0}
    assert record.published.keys() == {"json", "prometheus"}
    counted = samples(metrics)
    assert counted["nova_vhard_publish_errors_total fails"] == 3
    assert counted["nova_vhard_publish_errors_total json"] == 0


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
