# SPDX-License-Identifier: Apache-2.0
"""Commands cost openstackclient nothing until one of them is run."""

import importlib.metadata
import inspect
import subprocess
import sys
from types import SimpleNamespace

import pytest
from cliff import app, commandmanager
from osc_lib.command import command

from nova_vhard.osc import lazy, output

ENTRIES = sorted(importlib.metadata.entry_points(group="openstack.vhard.v1"))

LOADED = """
import importlib.metadata
for group in ("openstack.cli.extension", "openstack.vhard.v1"):
    for entry in importlib.metadata.entry_points(group=group):
        if entry.value.startswith("nova_vhard."):
            entry.load()
"""
CHECKED = """
from nova_vhard.osc import lazy
lazy.policy.show.CheckPolicy.resolve()
"""


def imported(code):
    """Return the names of the modules that an interpreter has afterwards."""
    command = [
        sys.executable,
        "-c",
        f"import sys\n{code}\nprint(*sys.modules)",
    ]
    return set(subprocess.check_output(command, text=True).split())


def test_to_load_all_commands_imports_none():
    """openstackclient does so before it runs any command."""
    names = {x for x in imported(LOADED) if x.startswith("nova_vhard")}
    plugin = {"nova_vhard.osc.lazy", "nova_vhard.osc.plugin"}
    assert names == {"nova_vhard", "nova_vhard.osc"} | plugin


def test_a_check_of_a_policy_imports_nothing_of_an_audit():
    """What it takes is mostly what it imports."""
    names = imported(CHECKED)
    assert "nova_vhard.policy.document" in names
    audit = {"nova_vhard.osc.audits", "glanceclient", "xml.etree.ElementTree"}
    assert not names & audit


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_command_is_there(entry):
    result = entry.load()
    assert isinstance(result, lazy.Lazy)
    assert issubclass(result.resolve(), output.Command)
    # cliff decides so whether the name is passed
    assert "cmd_name" in inspect.getfullargspec(result.__init__).args
    made = result(SimpleNamespace(client_manager=None), None, cmd_name=None)
    assert isinstance(made, command.Command)
    assert "nova-vhard plugin" in made.get_parser("x").epilog


def test_a_command_that_is_not_there_is_an_error_of_its_own():
    with pytest.raises(ImportError):
        lazy.Lazy("nothing.here.Command").resolve()
    with pytest.raises(AttributeError):
        lazy.Lazy("policy.show.Nothing").resolve()
    for place in (lazy, lazy.policy.show):
        with pytest.raises(AttributeError):
            _ = place._private


class Remembering(command.Command):
    """A command that keeps the name by which cliff looks for its hooks."""

    names = []

    def take_action(self, parsed_args):
        """Keep the name."""
        self.names.append(self.cmd_name)


def test_cliff_passes_the_name_of_a_command(monkeypatch):
    manager = commandmanager.CommandManager("openstack.vhard.v1")
    program = app.App("a program", "1", manager)
    monkeypatch.setattr(lazy.Lazy, "resolve", lambda self: Remembering)
    assert program.run(["vhard", "policy", "check"]) == 0
    assert Remembering.names == ["vhard policy check"]
