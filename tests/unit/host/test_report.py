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
from tests.unit.host.test_cases import CHECKS as CHECKED

ZERO = datetime.timedelta(0)
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
    checks = [Broken(), CHECKED["kernel_aslr"]]
    first, second = report.inspect(Host(), NOW, checks).results
    assert first.status is Status.UNKNOWN
    assert "ZeroDivisionError: oops" in first.reason
    counts = len(first.evidence), first.evidence[-1]
    assert counts == (MAX_EVIDENCE + 1, "and 3 more")
    assert second.check == "kernel_aslr"


def test_every_check_of_the_catalogue_is_installed():
    assert [*CHECKED] == [*CHECKS]
    result = report.inspect(Host(HostRoot("/nowhere")), NOW, report.load())
    assert "not installed" not in "".join(x.reason for x in result.results)


@pytest.fixture
def checked(tmp_path, capsys):
    """Return what prints the check of a captured tree."""
    root = capture("vtd-on", tmp_path)

    def printed(*words):
        assert reporter.main(["check", "--root", root, *words]) == 1
        return capsys.readouterr().out

    return printed


@pytest.fixture
def results(checked):
    """Return what gives the results of a captured tree, by check."""

    def found(*words):
        results = json.loads(checked("-f", "json", *words))["results"]
        return {each["check"]: each for each in results}

    return found


def test_command_on_a_capture(checked, results):
    result = results()
    assert list(result) == list(CHECKS)
    for name, *expected in (
        ("iommu", "PASS", True, False),
        ("iommu_strict", "FAIL", True, True),
        ("passthrough_disabled", "UNKNOWN", False, True),
    ):
        each = result[name]
        fields = bool(each["evidence"]), bool(each["remediation"])
        assert [each["status"], *fields] == expected
    assert result["iommu"]["id"] == "Check-Virt-01"
    # Without a policy one check says that there is none.
    assert "no policy" in result["qemu_minimal"]["reason"]
    assert "check --policy" in result["qemu_minimal"]["remediation"]
    with_policy = results("--policy", "baseline")["qemu_minimal"]
    assert "no policy" not in with_policy["reason"]
    assert "Boot without iommu=pt" in " ".join(checked().split())


@pytest.mark.parametrize("policy", [None, "baseline"])
def test_json_names_host_version_policy_and_time(tmp_path, capsys, policy):
    root = build(tmp_path, {"/etc/hostname": "compute7\n"})
    words = ["--policy", policy] if policy else []
    reporter.main(["check", "-f", "json", "--root", root, *words])
    named = json.loads(capsys.readouterr().out)
    shipped = document.load(document.shipped("baseline"))
    fields = named["host"], named["version"], named["policy"]
    digest = shipped.digest if policy else None
    assert fields == ("compute7", str(release.INSTALLED), digest)
    assert datetime.datetime.fromisoformat(named["time"]).utcoffset() == ZERO


@pytest.mark.parametrize("content", ["version: 1\nmodes: x\n", None])
def test_a_policy_with_errors_checks_nothing(tmp_path, capsys, content):
    path = tmp_path / "policy.yaml"
    if content:
        path.write_text(content)
    words = ["check", "--root", str(tmp_path), "--policy", str(path)]
    assert reporter.main(words) == 255
    out, err = capsys.readouterr()
    start = f"nova-vhard-reporter: --policy: {path}:"
    assert (out, err[: len(start)]) == ("", start)


def test_every_format_says_the_same(checked):
    whole = json.loads(checked("-f", "json"))
    statuses = {item["check"]: item["status"] for item in whole["results"]}
    counts = collections.Counter(statuses.values())
    order = ("FAIL", "UNKNOWN", "NOT_APPLICABLE", "PASS")
    assert list(whole["totals"].items()) == [(x, counts[x]) for x in order]
    assert list(yaml.safe_load(checked("-f", "yaml"))) == list(whole)
    rows = list(csv.DictReader(io.StringIO(checked("-f", "csv"))))
    assert {row["Check"]: row["Result"] for row in rows} == statuses
    places = [order.index(row["Result"]) for row in rows]
    assert places == sorted(places)
    suite = ElementTree.fromstring(checked("-f", "junit"))
    assert {each.get("name") for each in suite} == set(statuses)
    for name, kind in (("FAIL", "failure"), ("UNKNOWN", "error")):
        assert len(suite.findall(f"testcase/{kind}")) == counts[name]
    *table, total = checked().splitlines()[2:]
    assert total == ", ".join(f"{counts[name]} {name}" for name in order)
    shown = re.findall(r"^\| (?!Check )(\w+)", "\n".join(table), re.M)
    assert shown == [row["Check"] for row in rows]


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
    assert header == '"Check","Result"' and '"iommu","PASS"' in rows
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
    assert (out, err.count("\n")) == ("", 1)
    assert str(place) in err and "--root" in err


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


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("interval = 1", "Should be greater than or equal to 30"),
        ("publishers = palcement", "publishers: no palcement"),
    ],
)
def test_a_broken_configuration_is_one_line(tmp_path, capsys, line, said):
    path = tmp_path / "reporter.conf"
    path.write_text(f"[vhard_reporter]\n{line}\n")
    assert reporter.main(["--config-file", str(path), "run", "--once"]) == 1
    err = capsys.readouterr().err
    assert (err.count("\n"), said in err) == (1, True)
