# SPDX-License-Identifier: Apache-2.0
"""Cells, audits and paging of the openstack commands."""

import argparse
import json
import pathlib
import stat
from types import SimpleNamespace
from unittest.mock import Mock
from xml.etree import ElementTree

import pytest
from openstack import exceptions
from osc_lib.exceptions import CommandError

from nova_vhard.osc import audits, output, paging, violations
from nova_vhard.osc.server import sources as server_sources
from nova_vhard.osc.server.sources import Sources
from nova_vhard.placement.reader import PlacementError
from tests.unit.cli import desk, tables

COLUMNS = ("Names", "Passed", "Count", "Words", "Lines", "Plain")
ROW = (
    output.Cell(["b", "a"]),
    output.Passed(True),
    output.Cell(10),
    "x\x1b[31m",
    output.Lines(["1", "2"]),
    ["c", "d"],
)


class _List(output.Lister):
    """List two rows."""

    def take_action(self, parsed_args):
        return COLUMNS, [
            ROW,
            (
                output.Cell([]),
                output.Passed(False),
                output.Cell(9),
                "",
                "",
                [],
            ),
        ]


class _Show(output.ShowOne):
    """Show one row."""

    def take_action(self, parsed_args):
        return COLUMNS, ROW


class _Failing(output.Command):
    """Raise an error whose text contains an escape character."""

    error = output.UsageError("--a is for\x1b --b")

    def take_action(self, parsed_args):
        raise self.error


@pytest.mark.parametrize("form", ["json", "yaml", "csv", "value", "shell"])
def test_a_format(form):
    """Formats for programs get values; numbers are sorted as numbers."""
    lines = []
    if form != "csv":
        lines += desk.run(_Show, "-f", form).out.splitlines()
    if form != "shell":
        done = desk.run(_List, "-f", form, "--sort-column", "Count")
        lines += done.out.splitlines()
    tables.check(f"columns: {form}", lines, pathlib.Path(__file__).parent)


def test_arguments_that_make_no_sense_end_with_2():
    assert desk.run(_Failing) == (
        2,
        "",
        "openstack vhard: error: --a is for --b\n",
    )


def test_an_error_of_placement_is_one_clean_line(monkeypatch):
    monkeypatch.setattr(
        _Failing, "error", PlacementError("status 503:\x1b down")
    )
    with pytest.raises(CommandError, match=r"^Placement: status 503: down$"):
        desk.run(_Failing)


HEADS = ("ID", "Rule", "Mode", "Asks For", "Fix", "State")
DISK = "guest_devices.disk_bus"


def row(mode, rule=DISK):
    return ("i", rule, mode, "ide", "set virtio", "violates")


REFUSED, WARNED, NOTED = row("enforce"), row("warn"), row("audit")
UNSEEN = row("", rule="-")


PARSER = argparse.ArgumentParser()
audits.add_options(PARSER)


def tally(*things):
    result = audits.Tally("images")
    for number, rows in enumerate(things):
        result.add(f"id{number}", f"name{number}", audits.of_rows(HEADS, rows))
    return result


@pytest.mark.parametrize(
    ("things", "never", "violation", "warning"),
    [
        ((), 0, 0, 0),
        (([],), 0, 0, 0),
        (([NOTED],), 0, 0, 0),
        (([WARNED],), 0, 0, 3),
        (([REFUSED],), 0, 3, 3),
        (([], [NOTED, WARNED]), 0, 0, 3),
        (([UNSEEN],), 0, 4, 4),
        (([UNSEEN], [WARNED]), 0, 4, 3),
        (([UNSEEN, REFUSED],), 0, 3, 3),
        (([NOTED, row("", rule="...")],), 0, 0, 0),
    ],
)
def test_status(things, never, violation, warning):
    for asked, status in (
        ((), never),
        (("--fail-on", "violation"), violation),
        (("--fail-on", "warning"), warning),
    ):
        assert tally(*things).finish(PARSER.parse_args(asked)) == status


def test_totals_count_things_not_rows():
    assert tally(
        [REFUSED, REFUSED, WARNED], [WARNED], [], [UNSEEN, NOTED]
    ).totals() == (
        "images: 4 looked at, 3 with violations (1 in mode enforce, 1 in "
        "mode warn, 1 in mode audit), 1 not seen in full"
    )


@pytest.mark.parametrize(
    ("name", "result", "asked"),
    [
        (
            "a thing each",
            tally([], [WARNED, REFUSED], [WARNED], [UNSEEN], [NOTED]),
            (),
        ),
        (
            "what fail-on names",
            tally([WARNED], [REFUSED], [UNSEEN, WARNED]),
            ("--fail-on=warning",),
        ),
    ],
)
def test_junit(tmp_path, name, result, asked):
    path = tmp_path / "a.xml"
    result.finish(PARSER.parse_args(["--junit", str(path), *asked]))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    root = ElementTree.parse(path).getroot()
    ElementTree.indent(root)
    said = ElementTree.tostring(root, "unicode").splitlines()
    tables.check(f"junit: {name}", said, pathlib.Path(__file__).parent)


def test_what_an_outsider_wrote_is_no_markup(tmp_path):
    result = audits.Tally("images")
    name = "</testcase>\x1b[31m\x00&" + "x" * 70_000
    result.add("i", name, [audits.Finding(audits.Level.VIOLATION, DISK, "a")])
    path = tmp_path / "a.xml"
    result.finish(PARSER.parse_args(["--junit", str(path)]))
    (case,) = ElementTree.parse(path).getroot()
    assert case.get("name").startswith("</testcase>[31m&xx")
    assert len(case.get("name").encode()) < 17_000


def test_junit_that_cannot_be_written(tmp_path):
    path = str(tmp_path / "none" / "a.xml")
    with pytest.raises(CommandError, match=r"a\.xml: cannot be written"):
        tally([]).finish(PARSER.parse_args(["--junit", path]))


CHANGES = [{"place": "image", "id": "a\nb", "property": "x", "value": None}]


def test_a_fix_is_text_and_sanitized_data():
    cell = violations.FixCell("run\n`ls`", CHANGES)
    assert str(cell) == "run `ls`"
    assert json.loads(json.dumps(cell.machine_readable())) == {
        "text": "run `ls`",
        "changes": [{**CHANGES[0], "id": "a b"}],
    }
    # sorted by its words
    cells = [
        violations.FixCell("b"),
        violations.FixCell("a", CHANGES),
        violations.FixCell(""),
    ]
    assert [str(each) for each in sorted(cells)] == ["", "a", "b"]


def test_an_image_is_asked_for_once(monkeypatch):
    """The cache is small, and drops its oldest image."""
    monkeypatch.setattr(server_sources, "_KEPT", 2)
    glance = Mock()
    glance.get.side_effect = lambda name: {"id": name, "disk_format": "iso"}
    sources = Sources(SimpleNamespace(images=glance), None)
    result = [sources.image(name) for name in "abacab"]
    assert [name for call in glance.get.mock_calls for name in call.args] == [
        "a",
        "b",
        "c",
        "b",
    ]
    assert result[0] is result[2]
    assert result[0].value.disk_format == "iso"


def proxy(*answers):
    """Return an SDK proxy that returns these responses."""
    made = [
        Mock(status_code=200, json=Mock(return_value=body)) for body in answers
    ]
    return Mock(get=Mock(side_effect=made))


def test_a_listing_page_by_page():
    more = [{"rel": "next", "href": "http://behind-a-proxy.invalid"}]
    ports = proxy(
        {"ports": [{"id": "1"}, {"id": "2"}], "ports_links": more},
        {"ports": [{"id": "3"}], "ports_links": []},
    )
    result = paging.pages(ports, "/ports", "ports", [("x", "y")])
    assert [[each["id"] for each in page] for page in result] == [
        ["1", "2"],
        ["3"],
    ]
    assert [
        (url, sent["params"]) for ((url,), sent) in ports.get.call_args_list
    ] == [
        ("/ports", [("x", "y")]),
        ("/ports", [("x", "y"), ("marker", "2")]),
    ]


@pytest.mark.parametrize("body", [{}, {"ports": None}, []])
def test_an_answer_that_makes_no_sense(body):
    with pytest.raises(exceptions.SDKException, match="/ports"):
        list(paging.pages(proxy(body), "/ports", "ports"))
