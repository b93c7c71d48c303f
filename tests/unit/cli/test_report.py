# SPDX-License-Identifier: Apache-2.0
"""The page of ``openstack vhard report``, read as a browser would."""

import datetime
import html.parser
import itertools
import re
from collections import Counter
from dataclasses import replace

import pytest
from osc_lib import exceptions

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.common import source
from nova_vhard.osc.report import command, data, exemptions, summary
from nova_vhard.osc.report import page as report_page
from nova_vhard.osc.report.data import Part
from nova_vhard.placement.fleet import FRESH, SILENT, STALE, HostPosture
from nova_vhard.policy import release
from nova_vhard.policy.watch import PolicyFile
from tests import report_pages

TABLES = 7
_VOID = {"meta", "br"}


class Page(html.parser.HTMLParser):
    """Everything about a page that the tests ask."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert self.open == [], "elements that are not closed"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.texts.append((tuple(self.open), data))

    def named(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    def texts_in(self, tag):
        return [text for path, text in self.texts if tag in path]

    @property
    def words(self):
        return " ".join(text for _, text in self.texts)


def shown(made, **changes):
    """Return the page of a report with some of it changed."""
    return Page(report_page.render(replace(made, **changes)))


#: Many enough for each kind of row, and quickly rendered.
HOSTS, VIOLATIONS = 200, 40


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    return report_pages.report(folder, HOSTS, VIOLATIONS)


@pytest.fixture(scope="module")
def text(made):
    return report_page.render(made)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_it_has_what_the_issue_asks_for(made, page):
    parts = (made.images, made.servers, made.flavors)
    assert len(made.hosts) == HOSTS
    assert sum(len(each.rows) for each in parts) == VIOLATIONS
    # a row a host, a violation, a check, an exemption, a device; the heads
    rows = HOSTS + VIOLATIONS + len(CHECKS) + 5
    assert len(page.named("tr")) == rows + TABLES


def test_no_script_and_nothing_from_outside(page):
    names = {name for name, _ in page.tags}
    assert not names & {
        *("script", "img", "link", "iframe", "object", "embed", "form"),
        *("base", "svg", "audio", "video", "source", "input", "button"),
    }
    for name, attrs in page.tags:
        assert not [each for each in attrs if each.startswith("on")], (
            name,
            attrs,
        )
        assert not attrs.keys() & {"src", "srcset", "background", "ping"}
        assert attrs.get("href", "#").startswith("#"), attrs
    (style,) = page.texts_in("style")
    assert "url(" not in style
    assert "@import" not in style
    (csp,) = [
        each["content"]
        for each in page.named("meta")
        if each.get("http-equiv") == "Content-Security-Policy"
    ]
    assert csp.startswith("default-src 'none'")


def test_names_stay_text(page, text):
    assert {
        report_pages.SCRIPT,
        '" onmouseover="alert(1)',
        "{{ 7 * 7 }}{% raw %}",
        report_pages.HEBREW,
        "gpj.exe photo",
    } <= {*page.texts_in("bdi")}
    # and none turns the text around
    assert not set(text) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068")
    assert not [char for char in text if char < " " and char != "\n"]


def test_every_link_leads_somewhere(page):
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {each["href"].removeprefix("#") for each in page.named("a")}
    assert targets <= set(ids)
    assert page.named("a")[0] == {"class": "skip", "href": "#main"}


def test_headings_captions_and_scopes(page):
    levels = [int(n[1]) for n, _ in page.tags if n in ("h1", "h2", "h3")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    pairs = itertools.pairwise(levels)
    assert all(after - before <= 1 for before, after in pairs)
    assert len(page.named("table")) == len(page.named("caption")) == TABLES
    assert {each.get("scope") for each in page.named("th")} == {"col", "row"}
    assert page.named("html") == [{"lang": "en"}]


def test_the_numbers_on_the_tiles(made, page):
    numbers = [each for each in page.texts_in("strong") if each.strip()]
    fresh = sum(each.status == FRESH for each in made.hosts)
    names = {row[0] for row in made.images.rows}
    assert numbers[0] == f"{fresh}/{len(made.hosts)}"
    assert numbers[1] == str(len(names))
    assert numbers[-1] == "3"
    # and when exemptions end
    badges = {"has ended", "ends in 6 days", "217 days left"}
    assert badges <= {*page.texts_in("span")}


def test_what_each_service_runs(tmp_path, made):
    # given services that judge by the file and by the one before, and refuse
    file = tmp_path / "policy.yaml"
    a, b, c = (
        PolicyFile(str(file), f"{tmp_path}/policy-{name}.json")
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
    assert [row[0] for row in rows] == [
        f"{tmp_path}: policy-{name}" for name in "abc"
    ]
    states = [row[-1] for row in rows]
    assert states[0] == "judges by the file"
    assert states[1] == f"judges by {rows[1][2]}, and the file is {digest}"
    assert states[2].startswith(f"refuses the file since {rows[2][3]}: {file}")
    page = shown(made, services=Part(rows))
    assert {*states} <= {*page.texts_in("bdi")}
    with pytest.raises(ValueError, match="has no file that ends in"):
        list(data.service_rows([str(tmp_path / "empty")], digest))


def test_exemptions_that_end_soon(made):
    today = report_pages.NOW.date()
    result = exemptions.ending(made.policy.exemptions, today)
    assert [item.id for item in result] == ["legacy-routers", "old-installer"]


def test_hosts_are_sorted_worst_first(made, text):
    hosts = summary.worst_first(made.hosts)
    ranks = [(SILENT, STALE, FRESH).index(host.status) for host in hosts]
    assert ranks == sorted(ranks)
    assert set(ranks) == {0, 1, 2}
    fresh = [
        tuple(
            Counter(map(host.result, CHECKS))[x] for x in ("FAIL", "UNKNOWN")
        )
        for host in hosts
        if host.status == FRESH
    ]
    assert fresh == sorted(fresh, reverse=True)
    places = [text.index(f'scope="row"><bdi>{x.name}<') for x in hosts[:50]]
    assert places == sorted(places)


def test_five_answers_are_told_apart(page):
    answers = {word.replace("/", ""): word for word in summary.ANSWERS}
    cells = {attrs["class"] for attrs in page.named("td") if "class" in attrs}
    assert cells == set(answers) == {"yes", "no", "unknown", "na", "old"}
    (style,) = page.texts_in("style")
    looks = [
        style.partition(f"\n.{word} {{")[2].partition("}")[0]
        for word in answers
    ]
    assert all(looks)
    assert len(set(looks)) == 5
    # and each is explained
    words = " ".join(page.texts_in("li"))
    assert all(meaning in words for meaning in summary.ANSWERS.values())


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


def test_summary_is_bounded(made, page):
    listed = page.texts_in("ol")
    assert sum(f": {SILENT}" in text for text in listed) == 5
    assert (
        sum(text.startswith(": ") and "PASS" in text for text in listed) == 5
    )
    assert any("ends in 6 days" in text for text in listed)


def test_devices_that_wait_and_why(made, page):
    words = page.texts_in("span") + page.texts_in("bdi")
    assert "devices wait for cleaning" in words
    for row in made.devices.rows:
        assert set(row) <= set(words)
    assert not [
        each
        for _, each in shown(made, devices=Part()).tags
        if each.get("id") == "devices"
    ]


def test_what_could_not_be_read_is_no_clean_bill(made):
    trouble = Part(trouble="HTTPForbidden: <b>no</b>")
    parts = dict.fromkeys(("fleet", "images", "devices"), trouble)
    page = shown(made, hosts=(), **parts)
    assert page.words.count("may hide anything") == 3
    for name in ("hosts", "images", "devices"):
        assert f"{name}: not read" in page.words
    assert trouble.trouble in page.texts_in("bdi")
    assert "None violates the policy." not in page.words
    assert replace(made, **parts).troubles == [
        f"{name} could not be read: {trouble.trouble}" for name in parts
    ]


def test_a_clean_cloud(made):
    none = dict.fromkeys(("images", "servers", "flavors"), Part())
    words = shown(made, hosts=(), **none).words
    assert words.count("None violates the policy.") == 3
    assert "Placement knows no compute node." in words


@pytest.mark.parametrize(
    ("status", "cells"),
    [
        (FRESH, ["yes", "no", "unknown", "n/a", "unknown"]),
        (STALE, ["old", "unknown", "unknown", "unknown", "unknown"]),
    ],
)
def test_a_cell_says_why_nothing_is_proven(made, status, cells):
    names = list(CHECKS)[:5]
    others = dict(
        zip(names[1:4], ("FAIL", "UNKNOWN", "NOT_APPLICABLE"), strict=True)
    )
    passed = frozenset(names[:1])
    host = HostPosture("compute1", status, passed, others=others)
    html = report_page.render(replace(made, hosts=(host,)))
    (row,) = re.findall("<bdi>compute1</bdi></th>(.*)</tr>", html)
    assert re.findall("<td[^>]*>([^<]*)</td>", row)[:6] == [status, *cells]


def test_results_are_counted_apart(made):
    passed, others = frozenset(["iommu"]), {"smt": "FAIL"}
    others["nested_off"] = "NOT_APPLICABLE"
    hosts = (
        HostPosture("a", FRESH, passed, others=others),
        HostPosture("b", STALE, passed),
    )
    words = shown(made, hosts=hosts).words
    unknown = len(CHECKS) - 3
    assert f"1 PASS, 1 FAIL, {unknown} UNKNOWN, 1 NOT_APPLICABLE" in words
    for check in ("1 PASS, 0 FAIL, 1 UNKNOWN", "0 PASS, 1 FAIL, 1 UNKNOWN"):
        assert f"{check}, 0 NOT_APPLICABLE" in words
    assert "lacks" not in words


def test_whose_report_it_is_and_when_checks_ran(made):
    hour = datetime.datetime(2026, 11, 25, 9, tzinfo=datetime.UTC)
    host = HostPosture("a", FRESH, frozenset(), hour)
    page = shown(made, hosts=(host,))
    words = "".join(text for _, text in page.texts)
    for name, value in report_pages.ORIGIN.items():
        assert f"; {name}: {value}" in words
    assert f"; nova-vhard {release.INSTALLED}." in words
    assert made.policy.digest in words
    assert "fresh, 2026-11-25 09:00 UTC" in words
    assert "Physical hardware (PCI passthrough)" in page.texts_in("td")


def test_evidence_of_hosts_is_shown_with_time_paragraph_and_reason(
    made, tmp_path
):
    rows = tuple(data.evidence_rows([report_pages.host_report(tmp_path)]))
    assert {
        "2026-11-25T09:12:13+00:00",
        "Physical hardware (PCI passthrough)",
        "12 groups",
        f"/sys/kernel/iommu_groups: 12; {report_pages.SCRIPT}",
    } <= {*shown(made, evidence=Part(rows)).texts_in("bdi")}


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
    first, other = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    other.mkdir()
    paths = [report_pages.host_report(each) for each in (first, other)]
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


def test_a_policy_that_is_switched_off_says_so(made):
    off = replace(made.policy, enabled=False)
    words = shown(made, policy=off).words
    assert "This policy is switched off" in words


def test_a_folder_that_is_not_there_is_said_before_anything_is_asked(
    tmp_path,
):
    policy = tmp_path / "policy.yaml"
    policy.write_text('version: "1"\n')
    program = command.WriteReport(None, None)
    path = tmp_path / "nowhere" / "report.html"
    options = program.get_parser("test").parse_args(
        ["--html", str(path), "--policy", str(policy)]
    )
    with pytest.raises(exceptions.CommandError, match="there is no folder"):
        program.take_action(options)
