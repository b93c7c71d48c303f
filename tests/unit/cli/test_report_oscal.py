# SPDX-License-Identifier: Apache-2.0
"""Assessment results of ``openstack vhard report --oscal``."""

import json
import re
import stat
from dataclasses import replace

import pytest
from osc_lib import exceptions

from nova_vhard.catalogue.checks import OURS
from nova_vhard.catalogue.controls import CATALOGS, CONTROLS, TARGETS
from nova_vhard.osc.report import command, component, data, oscal
from nova_vhard.osc.report.data import Part
from nova_vhard.placement.fleet import FRESH, SILENT, STALE, HostPosture
from nova_vhard.policy import release
from tests import report_pages
from tests.unit.cli import desk

EVERY = frozenset(OURS)
GOOD = HostPosture("good", FRESH, EVERY)
OPEN = HostPosture("open", FRESH, EVERY - {"smt"})
OLD = HostPosture("old", STALE, EVERY)
LOST = HostPosture("lost\n\x1b[1m", SILENT, frozenset())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return report_pages.report(tmp_path_factory.mktemp("report"), 0, 0)


def results(made, *hosts):
    text = oscal.render(replace(made, hosts=hosts))
    content = json.loads(text)["assessment-results"]
    (result,) = content["results"]
    return result


def test_every_check_has_controls_as_oscal_spells_them():
    assert CONTROLS.keys() == OURS.keys()
    for name, pattern in (
        ("nist", r"[a-z]{2}-\d+(\.\d+)?"),
        ("bsi", r"(KONF|ASST|DET)(\.\d+){2,3}"),
        ("iso", r"[5-8]\.\d+"),
    ):
        for item in CONTROLS.values():
            assert all(re.fullmatch(pattern, x) for x in getattr(item, name))
    nist = {number for each in CONTROLS.values() for number in each.nist}
    assert all(each.nist for each in CONTROLS.values())
    assert {name: TARGETS[name][:-4] for name in TARGETS} == {
        number: number for number in nist
    }


def test_the_time_is_that_of_the_check(made, tmp_path):
    hour = report_pages.NOW.replace(hour=8, minute=0)
    hosts = (replace(GOOD, reported=hour), replace(OPEN, reported=hour), LOST)
    rows = data.evidence_rows([report_pages.host_report(tmp_path)])
    result = results(replace(made, evidence=Part(tuple(rows))), *hosts)
    seen = {
        (
            item["title"].rpartition(": ")[2],
            item["collected"],
            len(item["subjects"]),
        ): item
        for item in result["observations"]
        if ": iommu: " in item["title"]
    }
    exact = ("PASS", "2026-11-25T09:12:13+00:00", 1)
    assert seen.keys() == {
        exact,
        ("PASS", hour.isoformat(), 1),
        ("UNKNOWN", report_pages.NOW.isoformat(), 1),
    }
    (proof,) = seen[exact]["relevant-evidence"]
    assert "12 groups: /sys/kernel/iommu_groups: 12" in proof["description"]
    assert {(x["name"], x["value"]) for x in seen[exact]["props"]} == {
        ("check", "iommu"),
        ("result", "PASS"),
        ("bsi-grundschutz", "KONF.6.1.2"),
        ("iso-27001-annex-a", "8.9"),
        ("openstack-security-guide", "Physical hardware (PCI passthrough)"),
    }


def test_who_made_it_and_by_which_policy(made):
    text = oscal.render(replace(made, hosts=(GOOD,)))
    about = json.loads(text)["assessment-results"]["metadata"]
    assert {each["name"]: each["value"] for each in about["props"]} == {
        **report_pages.ORIGIN,
        "policy": made.policy.digest,
        "nova-vhard": str(release.INSTALLED),
    }
    assert about["parties"][0]["name"] == "alice"


def test_component_definition_has_each_control_of_each_catalog(made):
    content = json.loads(component.render(made))["component-definition"]
    (item,) = content["components"]
    found = {
        (part["source"], each["control-id"], prop["value"])
        for part in item["control-implementations"]
        for each in part["implemented-requirements"]
        for prop in each["props"]
        if prop["name"] == "check"
    }
    assert found == {
        (catalog["href"], control, check)
        for name, catalog in CATALOGS.items()
        for check, one in CONTROLS.items()
        for control in getattr(one, name)
    }


NONE = replace(OPEN, others={"smt": "NOT_APPLICABLE"})


@pytest.mark.parametrize(
    ("hosts", "check", "satisfied"),
    [
        ([GOOD], "smt", True),
        ([GOOD, OPEN], "smt", False),
        ([GOOD, OPEN], "iommu", True),
        # A host without a fresh report has proven nothing.
        ([GOOD, OLD], "iommu", False),
        ([GOOD, LOST], "iommu", False),
        # What does not apply is not a failure, and proves nothing.
        ([GOOD, NONE], "smt", True),
        ([NONE], "smt", False),
    ],
)
def test_satisfied_is_what_every_host_has_proven(
    made, hosts, check, satisfied
):
    states = {
        (item["title"].rpartition(": ")[2], item["target"]["status"]["state"])
        for item in results(made, *hosts)["findings"]
    }
    state = "satisfied" if satisfied else "not-satisfied"
    assert {found for name, found in states if name == check} == {state}
    if hosts in ([GOOD], [GOOD, OLD], [GOOD, LOST]):
        assert states == {(name, state) for name in OURS}


def ids(items, name="uuid"):
    return [item[name] for item in items]


def test_what_is_referred_to_is_there_once(made):
    result = results(made, GOOD, OPEN, OLD, LOST)
    hosts = ids(result["local-definitions"]["inventory-items"])
    seen, answers = ids(result["observations"]), ids(result["findings"])
    every = [*hosts, *seen, *answers, result["uuid"]]
    assert len(set(every)) == len(every)
    # The same moment gives the same file, and names are cleaned.
    assert result == results(made, GOOD, OPEN, OLD, LOST)
    text = json.dumps(result, ensure_ascii=False)
    assert "\\u001b" not in text and "\x1b" not in text
    assert "lost" in text
    for item in result["observations"]:
        assert {*ids(item["subjects"], "subject-uuid")} <= {*hosts}
    kinds = {"objective-id": "_obj", "statement-id": "_smt"}
    for item in result["findings"]:
        target = item["target"]
        assert target["target-id"].endswith(kinds[target["type"]])
        related = ids(item["related-observations"], "observation-uuid")
        assert {*related} <= {*seen}


def written(monkeypatch, report, *words):
    """Run the command, on a cloud whose report is this."""
    monkeypatch.setattr(data, "gather", lambda *_: report)
    desk.run(command.WriteReport, *words, "--policy", "baseline")


def test_one_file_or_both(made, tmp_path, monkeypatch):
    page, result = tmp_path / "page.html", tmp_path / "results.json"
    report = replace(made, hosts=(GOOD,))
    written(monkeypatch, report, "--oscal", str(result))
    assert json.loads(result.read_text())
    assert stat.S_IMODE(result.stat().st_mode) == 0o600
    assert not page.exists()
    both = ("--oscal", str(result), "--html", str(page))
    written(monkeypatch, report, *both)
    assert page.exists()


@pytest.mark.parametrize(
    ("trouble", "words"),
    [("no answer", "could not be read.*no an"), (None, "no compute node")],
)
def test_what_cannot_be_written_is_one_line(
    made, tmp_path, monkeypatch, trouble, words
):
    path = tmp_path / "results.json"
    path.write_text("old")
    report = replace(made, hosts=(), fleet=Part(trouble=trouble))
    with pytest.raises(exceptions.CommandError, match=words):
        written(monkeypatch, report, "--oscal", str(path))
    assert path.read_text() == "old"
