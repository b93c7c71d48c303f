# SPDX-License-Identifier: Apache-2.0
"""Checks that a host has passed, from the file that its reporter writes."""

import contextlib
import datetime
import json

import pytest

from nova_vhard.guard import posture
from nova_vhard.host.check import Result, Status
from nova_vhard.host.report import HostReport

NOW = datetime.datetime.now(datetime.UTC)


def passed(path, text, hours=2):
    path.write_text(text)
    return posture.passed(str(path), hours, NOW)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "report.json"


def test_it_is_what_the_reporter_writes(path):
    """The publisher json writes a report's content."""
    names = ("iommu", "kernel_aslr", "mac_guests", "selinux_booleans")
    results = tuple(
        Result(check, status, "why")
        for check, status in zip(names, Status, strict=True)
    )
    passing = {each.check for each in results if each.status is Status.PASS}
    assert passed(path, HostReport(NOW, results).as_json()) == passing
    assert len(passing) == 1


@pytest.mark.parametrize(
    ("hours", "counts"),
    [(0, True), (2, True), (2.01, False), (-0.05, True), (-0.2, False)],
)
def test_its_age(path, hours, counts):
    time = NOW - datetime.timedelta(hours=hours)
    text = json.dumps({"time": time.isoformat(), "results": []})
    old = pytest.raises(posture.NotProven, match="not of the last")
    with contextlib.nullcontext() if counts else old:
        assert passed(path, text) == frozenset()


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
def test_a_damaged_report_proves_nothing(path, text):
    damaged = r"report\.json is not a report"
    with pytest.raises(posture.NotProven, match=damaged):
        passed(path, text.replace("%s", NOW.isoformat()), 24)


@pytest.mark.parametrize(
    ("name", "text"), [("none", "cannot be read"), ("", "directory")]
)
def test_no_report_proves_nothing(tmp_path, name, text):
    with pytest.raises(posture.NotProven, match=text):
        posture.passed(str(tmp_path / name), 24, NOW)
