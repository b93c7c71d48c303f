# SPDX-License-Identifier: Apache-2.0
"""A host's report, and the command that prints it."""

import collections
import csv
import datetime
import io
import json
import os
import re
from xml.etree import ElementTree

import pytest
import yaml

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.cmd import reporter
from nova_vhard.host import report
from nova_vhard.host.check import Check, Result, Status
from nova_vhard.host.evidence import MAX_EVIDENCE
from nova_vhard.host.host import Host
from nova_vhard.host.report import HostReport
from nova_vhard.host.root import HostRoot
from nova_vhard.policy import document, release
from tests.trees import build, capture

OTHERS = ("NOT_APPLICABLE", "PASS")
NOW = datetime.datetime(2026, 6, 15, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("statuses", "code", "passed"),
    [
        ([], 0, set()),
        ([Status.PASS, Status.NOT_APPLICABLE], 0, {"iommu"}),
        ([Status.PASS, Status.FAIL], 1, {"iommu"}),
        ([Status.UNKNOWN, Status.PASS], 2, {"iommu"}),
        ([Status.UNKNOWN, Status.FAIL, Status.NOT_APPLICABLE], 1, set()),
    ],
)
def test_exit_status(statuses, code, passed):
    results = tuple(Result("iommu", status, "why") for status in statuses)
    made = HostReport(NOW, results)
    assert (made.exit_status, made.passed) == (code, passed)


class Broken(Check):
    name = "iommu"

    def answer(self, host):
        host.root.note(*map(str, range(MAX_EVIDENCE + 3)))
        raise ZeroDivisionError("oops")


def test_a_check_that_crashes_is_unknown_and_takes_no_other_down():
    (other,) = [each for each in report.load() if each.name == "kernel_aslr"]
    first, second = report.inspect(Host(), NOW, [Broken(), other]).results
    assert first.status is Status.UNKNOWN
    assert "ZeroDivisionError: oops" in first.reason
    assert len(first.evidence) == MAX_EVIDENCE + 1
    assert first.evidence[-1] == "and 3 more"
    assert second.check == "kernel_aslr"


def test_every_check_of_the_catalogue_is_installed():
    assert [each.name for each in report.load()] == list(CHECKS)
    result = report.inspect(Host(HostRoot("/nowhere")), NOW, report.load())
    assert not any("not installed" in each.reason for each in result.results)


@pytest.fixture
def checked(tmp_path, capsys):
    """Return what prints the check of a captured tree."""
    root = capture("vtd-on", tmp_path)

    def printed(*words):
        assert reporter.main(["check", "--root", root, *words]) == 1
        return capsys.readouterr().out

    return printed


def test_command_on_a_capture(checked):
    results = json.loads(checked("-f", "json"))["results"]
    assert [each["check"] for each in results] == list(CHECKS)
    result = {each["check"]: each for each in results}
    for name, status in (
        ("iommu", "PASS"),
        ("iommu_strict", "FAIL"),
        ("passthrough_disabled", "UNKNOWN"),
    ):
        assert result[name]["status"] == status
        assert result[name]["evidence"] or status == "UNKNOWN"
        assert bool(result[name]["remediation"]) == (status != "PASS")
    assert result["iommu"]["id"] == "Check-Virt-01"
    # Without a policy one check says that there is none.
    assert "no policy" in result["qemu_minimal"]["reason"]
    assert "check --policy" in result["qemu_minimal"]["remediation"]
    with_policy = json.loads(checked("-f", "json", "--policy", "baseline"))
    (minimal,) = [
        each
        for each in with_policy["results"]
        if each["check"] == "qemu_minimal"
    ]
    assert "no policy" not in minimal["reason"]
    assert "Boot without iommu=pt" in " ".join(checked().split())


def test_json_names_host_version_policy_and_time(tmp_path, capsys):
    root = capture("vtd-on", tmp_path)
    build(tmp_path / "host", {"/etc/hostname": "compute7\n"})
    words = ["check", "-f", "json", "--root"]

    def about(*more):
        reporter.main([*words, *more])
        return json.loads(capsys.readouterr().out)

    named = about(str(tmp_path / "host"), "--policy", "baseline")
    assert named["host"] == "compute7"
    assert named["version"] == str(release.INSTALLED)
    baseline = document.load(document.shipped("baseline"))
    assert named["policy"] == baseline.digest
    assert (
        datetime.datetime.fromisoformat(named["time"]).utcoffset() is not None
    )
    assert about(root)["policy"] is None


@pytest.mark.parametrize("content", ["version: 1\nmodes: x\n", None])
def test_a_policy_with_errors_checks_nothing(tmp_path, capsys, content):
    path = tmp_path / "policy.yaml"
    if content:
        path.write_text(content)
    words = ["check", "--root", str(tmp_path), "--policy", str(path)]
    assert reporter.main(words) == 255
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"nova-vhard-reporter: --policy: {path}:")


def test_every_format_says_the_same(checked):
    whole = json.loads(checked("-f", "json"))
    statuses = {item["check"]: item["status"] for item in whole["results"]}
    counts = collections.Counter(statuses.values())
    assert whole["totals"] == {
        name: counts[name] for name in ("FAIL", "UNKNOWN", *OTHERS)
    }
    assert list(yaml.safe_load(checked("-f", "yaml"))) == list(whole)
    rows = list(csv.DictReader(io.StringIO(checked("-f", "csv"))))
    assert {row["Check"]: row["Result"] for row in rows} == statuses
    order = [list(whole["totals"]).index(row["Result"]) for row in rows]
    assert order == sorted(order)
    suite = ElementTree.fromstring(checked("-f", "junit"))
    assert {each.get("name") for each in suite} == set(statuses)
    for name, kind in (("FAIL", "failure"), ("UNKNOWN", "error")):
        assert len(suite.findall(f"testcase/{kind}")) == counts[name]
    table = checked().splitlines()
    total = ", ".join(f"{n} {name}" for name, n in whole["totals"].items())
    assert table[-1] == total
    shown = re.findall(r"^\| (\w+)", "\n".join(table[2:]), re.M)
    assert [item for item in shown if item != "Check"] == [
        row["Check"] for row in rows
    ]


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize(
    ("words", "evidence"),
    [
        ((), False),
        (("--long",), True),
        (("-f", "long"), True),
        (("-c", "ID", "-c", "Evidence", "-c", "Next step"), True),
    ],
)
def test_the_table_fits_the_terminal(
    checked, monkeypatch, width, words, evidence
):
    monkeypatch.setenv("COLUMNS", str(width))
    printed = checked(*words)
    assert max(map(len, printed.splitlines())) <= width
    assert ("iommu_groups" in printed) == evidence


def test_columns(checked):
    words = ("-c", "Check", "-c", "Result")
    header, *rows = checked("-f", "csv", *words).splitlines()
    assert header == '"Check","Result"'
    assert '"iommu","PASS"' in rows
    content = json.loads(checked("-f", "json", *words))
    assert set(content["results"][0]) == {"check", "status"}
    assert "Check-Virt" not in checked(*words)


@pytest.mark.parametrize("kind", ["missing", "file", "pipe"])
def test_a_root_that_is_none_is_one_line(tmp_path, capsys, kind):
    place = tmp_path / kind
    if kind == "file":
        place.write_text("")
    if kind == "pipe":
        os.mkfifo(place)
    assert reporter.main(["check", "--root", str(place)]) == 2
    out, err = capsys.readouterr()
    assert not out
    (line,) = err.splitlines()
    assert str(place) in line
    assert "--root" in line


def test_command_where_nothing_can_be_read(tmp_path, capsys):
    assert reporter.main(["check", "--root", build(tmp_path, {})]) == 2
    assert "UNKNOWN" in capsys.readouterr().out


def test_a_crash_ends_with_255_and_a_wrong_argument_with_2(
    monkeypatch, capsys
):
    monkeypatch.setattr(report, "load", lambda: 1 / 0)
    assert reporter.main(["check"]) == 255
    assert "Traceback" not in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        reporter.main(["check", "--format", "xml"])
    assert caught.value.code == 2


def test_a_broken_configuration_is_one_line(tmp_path, capsys):
    path = tmp_path / "reporter.conf"
    path.write_text("[vhard_reporter]\ninterval = 1\n")
    assert reporter.main(["--config-file", str(path), "run", "--once"]) == 1
    path.write_text("[vhard_reporter]\npublishers = palcement\n")
    assert reporter.main(["--config-file", str(path), "run", "--once"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert "Should be greater than or equal to 30" in first
    assert "publishers: no palcement" in second
