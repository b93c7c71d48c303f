# SPDX-License-Identifier: Apache-2.0
"""Checks that a host has passed, from the file that its reporter writes."""

import datetime
import json

import pytest

from nova_vhard.guard import posture
from nova_vhard.host.check import Result, Status
from nova_vhard.host.report import HostReport
from tests.unit.guard import domains

NOW = datetime.datetime.now(datetime.UTC)


def test_it_is_what_the_reporter_writes(tmp_path):
    """The publisher json writes a report's content."""
    results = tuple(
        Result(check, status, "why")
        for check, status in (
            ("iommu", Status.PASS),
            ("kernel_aslr", Status.FAIL),
            ("mac_guests", Status.UNKNOWN),
            ("selinux_booleans", Status.NOT_APPLICABLE),
        )
    )
    path = tmp_path / "report.json"
    path.write_text(HostReport(NOW, results).as_json())
    assert posture.passed(str(path), 2, NOW) == {"iommu"}


@pytest.mark.parametrize(
    ("hours", "counts"),
    [(0, True), (2, True), (2.01, False), (-0.05, True), (-0.2, False)],
)
def test_its_age(tmp_path, hours, counts):
    path = tmp_path / "report.json"
    time = NOW - datetime.timedelta(hours=hours)
    path.write_text(json.dumps({"time": time.isoformat(), "results": []}))
    if counts:
        assert posture.passed(str(path), 2, NOW) == frozenset()
    else:
        with pytest.raises(posture.NotProven, match="not of the last"):
            posture.passed(str(path), 2, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"time": "2026-01-01T00:00:00", "results": []}',
        '{"time": 5, "results": []}',
        '{"time": "x", "results": []}',
        '{"time": "%s", "results": 5}',
        '{"time": "%s", "results": [{}]}',
        '{"time": "%s", "results": [[]]}',
        "[" * 100_000,
    ],
    ids=range(10),
)
def test_a_damaged_report_proves_nothing(tmp_path, text):
    path = tmp_path / "report.json"
    path.write_text(text.replace("%s", NOW.isoformat()))
    with pytest.raises(
        posture.NotProven, match=r"report\.json is not a report"
    ):
        posture.passed(str(path), 24, NOW)


@pytest.mark.parametrize(
    ("name", "text"), [("none", "cannot be read"), ("", "directory")]
)
def test_no_report_proves_nothing(tmp_path, name, text):
    with pytest.raises(posture.NotProven, match=text):
        posture.passed(str(tmp_path / name), 24, NOW)


def test_what_tests_write_is_a_report(tmp_path):
    domains.report(tmp_path / "r", "iommu")
    now = datetime.datetime.now(datetime.UTC)
    assert posture.passed(str(tmp_path / "r"), 2, now) == {"iommu"}
