# SPDX-License-Identifier: Apache-2.0
"""Assessment results of ``openstack vhard report --oscal``."""

import json
import re
import stat
from dataclasses import replace
from types import SimpleNamespace

import pytest
from osc_lib import exceptions

from nova_vhard.catalogue.checks import OURS
from nova_vhard.catalogue.controls import CATALOGS, CONTROLS, TARGETS
from nova_vhard.osc.report import command, component, data, oscal
from nova_vhard.osc.report.data import Part
from nova_vhard.placement.fleet import FRESH, SILENT, STALE, HostPosture
from nova_vhard.policy import release
from tests import report_pages

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


def states(result, check):
    return {
        item["target"]["status"]["state"]
        for item in result["findings"]
        if item["title"].endswith(f": {check}")
    }


def test_every_check_has_controls_as_oscal_spells_them():
    assert CONTROLS.keys() == OURS.keys()
    for item in CONTROLS.values():
        assert item.nist
        for control in item.nist:
            assert re.fullmatch(r"[a-z]{2}-\d+(\.\d+)?", control)
            assert TARGETS[control] in (f"{control}_obj", f"{control}_smt")
        for control in item.bsi:
            assert re.fullmatch(r"(KONF|ASST|DET)(\.\d+){2,3}", control)
        for number in item.iso:
            assert re.fullmatch(r"[5-8]\.\d+", number)
    assert TARGETS.keys() == {
        n for each in CONTROLS.values() for n in each.nist
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
    props = {(each["name"], each["value"]) for each in seen[exact]["props"]}
    assert props == {
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
        part["source"]: {
            each["control-id"]: each["props"]
            for each in part["implemented-requirements"]
        }
        for part in item["control-implementations"]
    }
    for name, catalog in CATALOGS.items():
        controls = found[catalog["href"]]
        assert controls.keys() == {
            each for one in CONTROLS.values() for each in getattr(one, name)
        }
        for control, props in controls.items():
            checks = {x["value"] for x in props if x["name"] == "check"}
            assert checks == {
                check
                for check, one in CONTROLS.items()
                if control in getattr(one, name)
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
    result = results(made, *hosts)
    state = "satisfied" if satisfied else "not-satisfied"
    assert states(result, check) == {state}
    if hosts in ([GOOD], [GOOD, OLD], [GOOD, LOST]):
        assert {*map(tuple, (states(result, x) for x in OURS))} == {(state,)}


def test_what_is_referred_to_is_there_once(made):
    result = results(made, GOOD, OPEN, OLD, LOST)
    hosts = [
        item["uuid"] for item in result["local-definitions"]["inventory-items"]
    ]
    seen = [item["uuid"] for item in result["observations"]]
    answer = [item["uuid"] for item in result["findings"]]
    every = [*hosts, *seen, *answer, result["uuid"]]
    assert len(set(every)) == len(every)
    # The same moment gives the same file, and names are cleaned.
    assert result == results(made, GOOD, OPEN, OLD, LOST)
    text = json.dumps(result, ensure_ascii=False)
    assert "\\u001b" not in text and "\x1b" not in text
    assert "lost" in text
    for item in result["observations"]:
        assert {each["subject-uuid"] for each in item["subjects"]} <= set(
            hosts
        )
    kinds = {"objective-id": "_obj", "statement-id": "_smt"}
    for item in result["findings"]:
        target = item["target"]
        assert target["target-id"].endswith(kinds[target["type"]])
        related = item["related-observations"]
        assert {each["observation-uuid"] for each in related} <= set(seen)


@pytest.fixture
def run(made, tmp_path, monkeypatch):
    """Return the command, on a cloud with some hosts."""
    policy = tmp_path / "policy.yaml"
    policy.write_text('version: "1"\n')

    def call(*words, hosts=(GOOD,), trouble=None):
        report = replace(made, hosts=hosts, fleet=Part(trouble=trouble))
        monkeypatch.setattr(data, "gather", lambda *_: report)
        program = command.WriteReport(SimpleNamespace(stderr=None), None)
        parser = program.get_parser("test")
        program.take_action(
            parser.parse_args([*words, "--policy", str(policy)])
        )

    return call


def test_one_file_or_both(run, tmp_path):
    page, result = tmp_path / "page.html", tmp_path / "results.json"
    run("--oscal", str(result))
    assert json.loads(result.read_text())
    assert stat.S_IMODE(result.stat().st_mode) == 0o600
    assert not page.exists()
    run("--oscal", str(result), "--html", str(page))
    assert page.exists()


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        (None, {}, "--oscal or --component"),
        ("nowhere/results.json", {}, "there is no folder"),
        ("results.json", {"trouble": "no answer"}, "could not be read.*no an"),
        ("results.json", {}, "no compute node"),
    ],
)
def test_what_cannot_be_written_is_one_line(run, tmp_path, name, more, words):
    path = tmp_path / "results.json"
    path.write_text("old")
    arguments = ["--oscal", str(tmp_path / name)] if name else []
    with pytest.raises(exceptions.CommandError, match=words):
        run(*arguments, hosts=(), **more)
    assert path.read_text() == "old"
