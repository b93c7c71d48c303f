# SPDX-License-Identifier: Apache-2.0
"""The files of openstack vhard report: a page, and results for OSCAL."""

import datetime
import json
import re
import stat
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import html
from osc_lib import exceptions

from nova_vhard.catalogue import checks, controls
from nova_vhard.common import source
from nova_vhard.osc.report import (
    command,
    component,
    data,
    oscal,
    summary,
)
from nova_vhard.osc.report import page as report_page
from nova_vhard.osc.report.data import Part
from nova_vhard.placement.fleet import FRESH, SILENT, STALE, HostPosture
from nova_vhard.policy import release, watch
from tests import golden, report_pages
from tests.unit.cli import desk


def shown(made, **changes):
    """Return the page of a report with some of it changed."""
    return report_page.render(replace(made, **changes))


def texts_in(page, tag):
    return html.document_fromstring(page).xpath(f"//{tag}//text()")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return report_pages.report(
        tmp_path_factory.mktemp("report"), hosts=48, violations=24
    )


@pytest.fixture(scope="module")
def page(made):
    return shown(made)


CLEAN = dict.fromkeys(("images", "servers", "flavors", "devices"), Part())
CLEAN["hosts"] = ()
KNOWN = frozenset([*checks.CHECKS][:1])
OTHERS = dict(
    zip(
        [*checks.CHECKS][1:4],
        ("FAIL", "UNKNOWN", "NOT_APPLICABLE"),
        strict=True,
    )
)
#: Name to the changed fields of a report.
CHANGED = {
    "fresh and stale": {
        "hosts": (
            HostPosture(
                "fresh",
                FRESH,
                KNOWN,
                datetime.datetime(2026, 11, 25, 9, tzinfo=datetime.UTC),
                others=OTHERS,
            ),
            HostPosture("stale", STALE, KNOWN, others=OTHERS),
            HostPosture("silent", SILENT, frozenset()),
        ),
    },
    "what could not be read": {
        "hosts": (),
        **dict.fromkeys(
            ("fleet", "images", "devices"),
            Part(trouble="HTTPForbidden: <b>no</b>"),
        ),
    },
    "a clean cloud": CLEAN,
}


def test_the_page(tmp_path):
    made = report_pages.report(tmp_path, 4, 12)
    whole = shown(made).splitlines()
    lines = ["=== whole", *whole]
    off = replace(made.policy, enabled=False)
    rows = tuple(data.evidence_rows([report_pages.host_report(tmp_path)]))
    more = {
        "a policy that is switched off": CLEAN | {"policy": off},
        "evidence": CLEAN | {"evidence": Part(rows)},
    }
    for name, changed in (CHANGED | more).items():
        others = dict.fromkeys(shown(made, **changed).splitlines())
        lines += [f"=== {name}", *(x for x in others if x not in whole)]
    text = "\n".join(lines).replace(made.policy.digest, "DIGEST")
    text = text.replace(str(release.INSTALLED), "VERSION")
    text = text.replace(f"{tmp_path}/", "")
    golden.check(Path(__file__).with_name("report.golden"), text.splitlines())


def test_every_element_is_closed(page):
    opened = Counter(re.findall(r"<([a-z]\w*)", page))
    closed = Counter(re.findall(r"</(\w+)", page))
    assert {*(opened - closed)} <= {"meta", "br"} and not closed - opened


def test_no_script_and_nothing_from_outside(page):
    elements = [*html.document_fromstring(page).iter(html.etree.Element)]
    assert not {each.tag for each in elements} & {
        *("script", "img", "link", "iframe", "object", "embed", "form"),
        *("base", "svg", "audio", "video", "source", "input", "button"),
    }
    names = {name for each in elements for name in each.attrib}
    assert not names & {"src", "srcset", "background", "ping"}
    assert not [name for name in names if name.startswith("on")]
    assert {each.get("href", "#")[0] for each in elements} == {"#"}
    (style,) = texts_in(page, "style")
    assert not re.search(r"url\(|@import", style)
    assert (
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'"
    ) in page


def test_names_stay_text(page):
    assert {
        report_pages.SCRIPT,
        '" onmouseover="alert(1)',
        "{{ 7 * 7 }}{% raw %}",
        report_pages.HEBREW,
        "gpj.exe photo",
    } <= {*texts_in(page, "bdi")}
    # and none turns the text around
    assert not {*page} & {*"\u202a\u202b\u202d\u202e\u2066\u2067\u2068"}
    assert not [char for char in page if char < " " and char != "\n"]


def test_every_link_leads_somewhere(page):
    tree = html.document_fromstring(page)
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in tree.xpath("//a/@href")} <= {
        *ids
    }
    assert dict(tree.find(".//a").attrib) == {"class": "skip", "href": "#main"}


@pytest.mark.refused_policy
def test_what_each_service_runs(tmp_path, made):
    # given services that judge by the file and by the one before, and refuse
    file = tmp_path / "policy.yaml"
    a, b, c = (
        watch.PolicyFile(str(file), f"{tmp_path}/policy-{name}.json")
        for name in "abc"
    )
    file.write_text("version: '1'\n")
    assert b.runs()["policy"] == c.runs()["policy"]
    file.write_text("version: '1'\nmode: audit\n")
    digest = a.runs()["policy"]
    file.write_text("version: '2' # unknown\n")
    c.runs()
    # when
    rows = tuple(data.service_rows([str(tmp_path)], digest))
    # then
    assert [(row[0], row[-1].partition(f": {file}")[0]) for row in rows] == [
        (f"{tmp_path}: policy-a", "judges by the file"),
        (
            f"{tmp_path}: policy-b",
            f"judges by {rows[1][2]}, and the file is {digest}",
        ),
        (f"{tmp_path}: policy-c", f"refuses the file since {rows[2][3]}"),
    ]
    assert {row[-1] for row in rows} <= {
        *texts_in(shown(made, services=Part(rows)), "bdi")
    }
    with pytest.raises(ValueError, match="has no file that ends in"):
        list(data.service_rows([str(tmp_path / "empty")], digest))


def test_hosts_are_sorted_worst_first(made, page):
    hosts = summary.worst_first(made.hosts)
    ranks = [(SILENT, STALE, FRESH).index(host.status) for host in hosts]
    assert ranks == sorted(ranks)
    assert set(ranks) == {0, 1, 2}
    fresh = [
        tuple(
            Counter(map(host.result, checks.CHECKS))[x]
            for x in ("FAIL", "UNKNOWN")
        )
        for host in hosts
        if host.status == FRESH
    ]
    assert fresh == sorted(fresh, reverse=True)
    heads = [f'scope="row"><bdi>{host.name}<' for host in hosts]
    places = [page.index(head) for head in heads]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("status", "passed", "others", "result"),
    [
        (FRESH, {"iommu"}, {}, "yes"),
        (FRESH, set(), {}, "unknown"),
        (FRESH, set(), {"iommu": "FAIL"}, "no"),
        (FRESH, set(), {"iommu": "NOT_APPLICABLE"}, "n/a"),
        (STALE, {"iommu"}, {}, "old"),
        (STALE, set(), {"iommu": "FAIL"}, "unknown"),
        (SILENT, set(), {}, "unknown"),
        (SILENT, {"iommu"}, {}, "unknown"),
    ],
)
def test_answer(status, passed, others, result):
    host = HostPosture("a", status, frozenset(passed), others=others)
    assert summary.answer(host, "iommu") == result


def test_summary_is_bounded(made):
    silent = (HostPosture(f"h{n}", SILENT, frozenset()) for n in range(9))
    half = (HostPosture(f"i{n}", FRESH, frozenset()) for n in range(9))
    listed = texts_in(shown(made, hosts=(*silent, *half)), "ol")
    assert sum(f": {SILENT}" in text for text in listed) == 5
    assert sum(": " in text and "PASS" in text for text in listed) == 5


@pytest.mark.parametrize(
    "change",
    [
        {"host": None, "results": None},
        {"time": "yesterday"},
        {"time": "0001-01-01T00:00:00+14:00"},
        {"results": [{"check": "iommu"}]},
        {"results": "iommu"},
    ],
)
def test_what_is_not_a_report_of_a_host_is_named(tmp_path, change):
    path = report_pages.host_report(tmp_path, **change)
    with pytest.raises(
        ValueError, match="is not a report of nova-vhard-reporter"
    ):
        list(data.evidence_rows([path]))


def test_no_host_reports_in_the_name_of_another(tmp_path):
    (tmp_path / "other").mkdir()
    folders = tmp_path, tmp_path / "other"
    paths = [report_pages.host_report(each) for each in folders]
    with pytest.raises(ValueError, match="name one host"):
        list(data.evidence_rows(paths))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "RecursionError"),
        (" " * source.MAX_SIZE + "{}", "larger than"),
        (None, "No such file"),
    ],
    ids=("deep", "large", "missing"),
)
def test_a_file_of_a_host_that_is_hostile_is_named(tmp_path, text, reason):
    path = tmp_path / "a.json"
    if text:
        path.write_text(text)
    with pytest.raises(ValueError, match=f"{path}.*({reason})"):
        list(data.evidence_rows([str(path)]))


EVERY = frozenset(checks.OURS)
GOOD = HostPosture("good", FRESH, EVERY)
OPEN = HostPosture("open", FRESH, EVERY - {"smt"})
OLD = HostPosture("old", STALE, EVERY)
LOST = HostPosture("lost\n\x1b[1m", SILENT, frozenset())


def results(made, *hosts):
    text = oscal.render(replace(made, hosts=hosts))
    (result,) = json.loads(text)["assessment-results"]["results"]
    return result


def test_every_check_has_controls_as_oscal_spells_them():
    assert controls.CONTROLS.keys() == checks.OURS.keys()
    for name, pattern in (
        ("nist", r"[a-z]{2}-\d+(\.\d+)?"),
        ("bsi", r"(KONF|ASST|DET)(\.\d+){2,3}"),
        ("iso", r"[5-8]\.\d+"),
    ):
        for item in controls.CONTROLS.values():
            assert all(re.fullmatch(pattern, x) for x in getattr(item, name))
    nist = {
        number for each in controls.CONTROLS.values() for number in each.nist
    }
    assert all(each.nist for each in controls.CONTROLS.values())
    assert {
        name: controls.TARGETS[name][:-4] for name in controls.TARGETS
    } == {number: number for number in nist}


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
    (item,) = json.loads(component.render(made))["component-definition"][
        "components"
    ]
    found = {
        (part["source"], each["control-id"], prop["value"])
        for part in item["control-implementations"]
        for each in part["implemented-requirements"]
        for prop in each["props"]
        if prop["name"] == "check"
    }
    assert found == {
        (catalog["href"], control, check)
        for name, catalog in controls.CATALOGS.items()
        for check, one in controls.CONTROLS.items()
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
        # A check that does not apply is neither a failure nor a proof.
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
        assert states == {(name, state) for name in checks.OURS}


def ids(items, name="uuid"):
    return [item[name] for item in items]


def test_what_is_referred_to_is_there_once(made):
    result = results(made, GOOD, OPEN, OLD, LOST)
    hosts = ids(result["local-definitions"]["inventory-items"])
    seen, answers = ids(result["observations"]), ids(result["findings"])
    every = [*hosts, *seen, *answers, result["uuid"]]
    assert len(set(every)) == len(every)
    # The same time gives the same file, and names are sanitized.
    assert result == results(made, GOOD, OPEN, OLD, LOST)
    text = json.dumps(result, ensure_ascii=False)
    assert "lost" in text and "\\u001b" not in text and "\x1b" not in text
    for item in result["observations"]:
        assert {*ids(item["subjects"], "subject-uuid")} <= {*hosts}
    kinds = {"objective-id": "_obj", "statement-id": "_smt"}
    for item in result["findings"]:
        target = item["target"]
        assert target["target-id"].endswith(kinds[target["type"]])
        assert {*ids(item["related-observations"], "observation-uuid")} <= {
            *seen
        }


def written(monkeypatch, report, *words):
    """Run the command for a cloud with this report."""
    monkeypatch.setattr(data, "gather", lambda *_: report)
    desk.run(command.WriteReport, *words, "--policy", "baseline")


def test_one_file_or_both(made, tmp_path, monkeypatch):
    page, result = tmp_path / "page.html", tmp_path / "results.json"
    words = ["--oscal", str(result)]
    written(monkeypatch, replace(made, hosts=(GOOD,)), *words)
    assert json.loads(result.read_text())
    assert stat.S_IMODE(result.stat().st_mode) == 0o600
    assert not page.exists()
    words += ["--html", str(page)]
    written(monkeypatch, replace(made, hosts=(GOOD,)), *words)
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
