# SPDX-License-Identifier: Apache-2.0
"""The page of ``openstack vhard report``, read as a browser would.

Its elements and texts are in ``report.golden``.
"""

import datetime
import html.parser
import itertools
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.common import source
from nova_vhard.osc.report import data, exemptions, summary
from nova_vhard.osc.report import page as report_page
from nova_vhard.osc.report.data import Part
from nova_vhard.placement.fleet import FRESH, SILENT, STALE, HostPosture
from nova_vhard.policy import release
from nova_vhard.policy.watch import PolicyFile
from tests import golden, report_pages

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
        if data.strip():
            self.texts.append((tuple(self.open), data))

    def named(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    def texts_in(self, tag):
        return [text for path, text in self.texts if tag in path]

    @property
    def lines(self):
        """Each text, behind the elements that it is in."""
        return [
            f"{'.'.join(x[-2:])}: {text.strip()}" for x, text in self.texts
        ]


def shown(made, **changes):
    """Return the page of a report with some of it changed."""
    return Page(report_page.render(replace(made, **changes)))


#: Many enough for each kind of row.
HOSTS, VIOLATIONS = 48, 24


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


def changes(made, tmp_path):
    """Yield name to what is changed of a report."""
    names = list(CHECKS)[:5]
    others = dict(
        zip(names[1:4], ("FAIL", "UNKNOWN", "NOT_APPLICABLE"), strict=True)
    )
    hour = datetime.datetime(2026, 11, 25, 9, tzinfo=datetime.UTC)
    passed = frozenset(names[:1])
    yield (
        "fresh and stale",
        {
            "hosts": (
                HostPosture("fresh", FRESH, passed, hour, others=others),
                HostPosture("stale", STALE, passed, others=others),
                HostPosture("silent", SILENT, frozenset()),
            ),
        },
    )
    trouble = Part(trouble="HTTPForbidden: <b>no</b>")
    parts = dict.fromkeys(("fleet", "images", "devices"), trouble)
    yield "what could not be read", {"hosts": (), **parts}
    none = dict.fromkeys(("images", "servers", "flavors", "devices"), Part())
    yield "a clean cloud", {"hosts": (), **none}
    off = replace(made.policy, enabled=False)
    yield "a policy that is switched off", {"hosts": (), **none, "policy": off}
    rows = tuple(data.evidence_rows([report_pages.host_report(tmp_path)]))
    yield "evidence", {"hosts": (), **none, "evidence": Part(rows)}


def test_the_page(tmp_path):
    made = report_pages.report(tmp_path, 4, 12)
    whole = shown(made).lines
    lines = ["=== whole", *report_page.render(made).splitlines()]
    for name, changed in changes(made, tmp_path):
        others = itertools.groupby(shown(made, **changed).lines)
        lines += [f"=== {name}", *(x for x, _ in others if x not in whole)]
    text = "\n".join(lines).replace(made.policy.digest, "DIGEST")
    text = text.replace(str(release.INSTALLED), "VERSION")
    path = Path(__file__).with_name("report.golden")
    golden.check(path, text.splitlines())


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
    listed = shown(made, hosts=(*silent, *half)).texts_in("ol")
    assert sum(f": {SILENT}" in text for text in listed) == 5
    assert sum(": " in text and "PASS" in text for text in listed) == 5


def test_a_part_that_could_not_be_read_is_named(made):
    parts = dict.fromkeys(("fleet", "images", "devices"), Part(trouble="no"))
    assert replace(made, **parts).troubles == [
        f"{name} could not be read: no" for name in parts
    ]


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
