# SPDX-License-Identifier: Apache-2.0
"""Table cells hold values for programs, not Python representations."""

import csv
import io

import pytest
import yaml
from osc_lib.exceptions import CommandError

from nova_vhard.osc import output
from nova_vhard.placement.reader import PlacementError
from tests.unit.cli.desk import run

COLUMNS = ("Names", "Passed", "Count", "Words", "Lines", "Plain")
ROW = (
    output.Cell(["b", "a"]),
    output.Passed(True),
    output.Cell(10),
    "x\x1b[31m",
    output.Lines(["1", "2"]),
    ["c", "d"],
)
FEW = (output.Cell([]), output.Passed(False), output.Cell(9), "", "", [])
WORDS = ["b, a", "PASS", "10", "x[31m", "1\n2", "c, d"]
VALUES = [["b", "a"], True, 10, "x[31m", "1\n2", ["c", "d"]]


class _List(output.Lister):
    """List what a test is about."""

    def take_action(self, parsed_args):
        return COLUMNS, [ROW, FEW]


class _Show(output.ShowOne):
    """Show what a test is about."""

    def take_action(self, parsed_args):
        return COLUMNS, ROW


class _Usage(output.Command):
    """End as with arguments that make no sense."""

    def take_action(self, parsed_args):
        raise output.UsageError("--a is for\x1b --b")


class _Down(output.Command):
    """End as where Placement does not answer."""

    def take_action(self, parsed_args):
        raise PlacementError("status 503:\x1b down")


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_json_and_yaml_have_values(form):
    # JSON is YAML, too
    first, few = yaml.safe_load(run(_List, "-f", form).out)
    shown = yaml.safe_load(run(_Show, "-f", form).out)
    for row in (first, shown):
        assert [row[name] for name in COLUMNS] == VALUES
    assert few["Passed"] is False


def test_csv_and_value_have_words():
    rows = list(csv.reader(io.StringIO(run(_List, "-f", "csv").out)))
    assert rows[1] == WORDS
    assert rows[2] == ["", "-", "9", "", "", ""]
    assert run(_Show, "-f", "value").out == "\n".join([*WORDS, ""])
    assert 'names="b, a"' in run(_Show, "-f", "shell").out


@pytest.mark.parametrize("kind", ["table", "csv", "value"])
def test_no_format_shows_python(kind):
    out = run(_List, "-f", kind).out
    for word in ("[", "'", "True", "False", "None"):
        assert word not in out.replace("[31m", ""), kind


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_numbers_are_sorted_as_numbers(kind):
    out = run(_List, "-f", kind, "--sort-column", "Count").out
    assert out.index("9") < out.index("10")


def test_arguments_that_make_no_sense_end_with_2():
    done = run(_Usage)
    assert (done.status, done.out) == (2, "")
    assert done.err == "openstack vhard: error: --a is for --b\n"


def test_an_error_of_placement_is_one_clean_line():
    with pytest.raises(CommandError, match=r"^Placement: status 503: down$"):
        run(_Down)
