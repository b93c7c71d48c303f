# SPDX-License-Identifier: Apache-2.0
"""The verdict of an audit: exit status, totals, and JUnit's file."""

import argparse
import os
import stat
from xml.etree import ElementTree

import pytest
from osc_lib.exceptions import CommandError

from nova_vhard.osc import audits
from nova_vhard.osc.audits import Level

COLUMNS = ("ID", "Rule", "Mode", "Asks For", "Fix", "State")
DISK = "guest_devices.disk_bus"


def row(mode, rule=DISK):
    return ("i", rule, mode, "ide", "set virtio", "violates")


REFUSED, WARNED, NOTED = row("enforce"), row("warn"), row("audit")
UNSEEN = row("", rule="-")
MORE = row("", rule="...")


def options(*arguments):
    parser = argparse.ArgumentParser()
    audits.add_options(parser)
    return parser.parse_args(arguments)


def tally(*things):
    result = audits.Tally("images")
    for number, rows in enumerate(things):
        findings = audits.of_rows(COLUMNS, rows)
        result.add(f"id{number}", f"name{number}", findings)
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
        (([NOTED, MORE],), 0, 0, 0),
    ],
)
def test_status(things, never, violation, warning):
    for asked, status in (
        ((), never),
        (("--fail-on", "violation"), violation),
        (("--fail-on", "warning"), warning),
    ):
        assert tally(*things).finish(options(*asked)) == status


def test_totals_count_things_not_rows():
    result = tally([REFUSED, REFUSED, WARNED], [WARNED], [], [UNSEEN, NOTED])
    assert result.totals() == (
        "images: 4 looked at, 3 with violations (1 in mode enforce, 1 in "
        "mode warn, 1 in mode audit), 1 not seen in full"
    )


def suite(path, result, *asked):
    result.finish(options("--junit", str(path), *asked))
    return ElementTree.parse(path).getroot()


def totals(root):
    return [root.get(name) for name in ("tests", "failures", "errors")]


def test_junit_has_a_case_for_each_thing(tmp_path):
    result = tally([], [WARNED, REFUSED], [WARNED], [UNSEEN], [NOTED])
    root = suite(tmp_path / "a.xml", result)
    assert totals(root) == ["5", "1", "1"]
    tags = [[part.tag for part in case] for case in root]
    noted, error = ["system-out"], ["error"]
    assert tags == [[], ["failure"], noted, error, noted]
    failure = root[1][0]
    assert (root[1].get("name"), failure.attrib) == (
        "name1 (id1)",
        {"type": DISK, "message": "ide; to fix: set virtio"},
    )
    assert len(failure.text.splitlines()) == 2
    assert stat.S_IMODE(os.stat(tmp_path / "a.xml").st_mode) == 0o600


def test_junit_fails_what_fail_on_names(tmp_path):
    result = tally([WARNED], [REFUSED], [UNSEEN, WARNED])
    root = suite(tmp_path / "a.xml", result, "--fail-on=warning")
    assert totals(root) == ["3", "3", "0"]
    assert [case[0].tag for case in root] == ["failure"] * 3


def test_what_an_outsider_wrote_is_no_markup(tmp_path):
    result = audits.Tally("images")
    name = "</testcase>\x1b[31m\x00&" + "x" * 70_000
    finding = audits.Finding(Level.VIOLATION, DISK, "a")
    result.add("i", name, [finding])
    root = suite(tmp_path / "a.xml", result)
    assert len(root) == 1
    assert root[0].get("name").startswith("</testcase>[31m&xx")
    assert len(root[0].get("name").encode()) < 17_000


def test_junit_that_cannot_be_written(tmp_path):
    path = str(tmp_path / "none" / "a.xml")
    with pytest.raises(CommandError, match=r"a\.xml: cannot be written"):
        tally([]).finish(options("--junit", path))
