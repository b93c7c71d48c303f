# SPDX-License-Identifier: Apache-2.0
"""Help of all commands, and tables that fit a terminal."""

import pytest

from nova_vhard.osc.device.show import ListDevices
from nova_vhard.osc.host.listing import NotPassed
from nova_vhard.osc.overview import ListCommands
from nova_vhard.osc.policy.trial import ExplainPolicy
from tests.unit.cli import desk
from tests.unit.cli.test_help import COMMANDS, built

WIDE = 100


def test_help_has_a_line_for_each_command():
    lines = built(ListCommands, "openstack vhard").format_help().splitlines()
    for name in COMMANDS.names - {"vhard"}:
        words = name.removeprefix("vhard_").replace("_", " ")
        (line,) = [x for x in lines if x.startswith(f"  {words}  ")]
        assert line.endswith(".")
        assert len(line) <= WIDE


@pytest.mark.parametrize(
    ("words", "status", "shown"),
    [
        ((), 0, len(COMMANDS.names) - 1),
        (("device",), 0, 4),
        (("host", "l"), 0, 1),
        (("hots",), 2, 0),
    ],
)
def test_commands_by_the_beginning_of_a_name(words, status, shown):
    done = desk.run(ListCommands, *words)
    assert (done.status, done.out.count("\n")) == (status, shown)
    assert ("vhard hots is not a command" in done.err) == (status == 2)


def test_an_explanation_fits_a_terminal():
    properties = (
        "--property=hw_disk_bus=ide",
        "--property=hw_vif_model=e1000",
    )
    words = ("--policy", "baseline", *properties)
    done = desk.run(ExplainPolicy, *words)
    assert {len(line) for line in done.out.splitlines()} == {WIDE}
    wide = desk.run(ExplainPolicy, *words, "--max-width", "0")
    assert len(wide.out.splitlines()[0]) > WIDE


def test_lists_fit_a_terminal():
    names = ["passthrough_one_time_use"] * 30
    assert len(str(NotPassed(names).human_readable())) <= 40
    assert NotPassed(["smt"]).human_readable() == "smt"
    assert NotPassed(names).machine_readable() == names
    assert built(ListDevices, "x").get_default("max_width") == WIDE
