# SPDX-License-Identifier: Apache-2.0
"""Help, imports and options of all commands and programs."""

import argparse
import inspect
import re
import subprocess
import sys
from types import SimpleNamespace
from unittest import mock

import pytest
from osc_lib.command import command

from nova_vhard.cmd import daemon, programs
from nova_vhard.conf import (
    attestor,
    cleaner,
    exporter,
    guard,
    placement,
    reporter,
)
from nova_vhard.osc import lazy, output, overview
from nova_vhard.osc.device.show import ListDevices
from nova_vhard.osc.host.listing import NotPassed
from tests.unit.cli import desk


def built(kind, name):
    return kind(SimpleNamespace(client_manager=None), None).get_parser(name)


SENTENCE = re.compile(r"[^a-z ].*[.!]$", re.DOTALL)


@pytest.mark.parametrize("name", sorted(desk.COMMANDS.names))
def test_help_of_a_command_is_sentences(name):
    kind = desk.COMMANDS[name].load().resolve()
    parser = argparse.ArgumentParser(add_help=False)
    kind(SimpleNamespace(client_manager=None), None).add_arguments(parser)
    texts = [option.help for option in parser._actions]
    texts += kind.__doc__.strip().split("\n\n")
    assert [x for x in texts if not SENTENCE.match(x.strip())] == []


#: Say by themselves how many there are, or always have a row.
COUNTING = {
    "vhard_decision_summary",
    "vhard_flavor_audit",
    "vhard_image_audit",
    "vhard_policy_check",
    "vhard_policy_show",
    "vhard_policy_test",
    "vhard_qemu_plan",
    "vhard_server_audit",
}


@pytest.mark.parametrize(
    ("name", "form", "out"),
    [
        *(
            (name, "json", "[]\n")
            for name in sorted(desk.COMMANDS.names - COUNTING)
        ),
        ("vhard_host_list", "table", ""),
        ("vhard_host_list", "value", ""),
    ],
)
def test_an_empty_table_is_not_all_that_is_said(name, form, out, monkeypatch):
    kind = desk.COMMANDS[name].load().resolve()
    if not issubclass(kind, output.Lister):
        return
    monkeypatch.setattr(kind, "take_action", lambda *_: (("A",), []))
    parser = built(kind, name)
    needed = ["x" for each in parser._actions if not each.option_strings]
    done = desk.run(kind, *needed, "-f", form)
    assert (done.status, done.out) == (0, out)
    assert done.err.startswith("0 ") and done.err.count("\n") == 1


def test_files_that_nobody_named_are_named_without_the_option(
    tmp_path, capsys
):
    (tmp_path / "a.conf").mkdir()
    default = str(tmp_path / "a.conf")
    program = daemon.Program(
        "a", (default,), SimpleNamespace(register=lambda _: None)
    )
    options = SimpleNamespace(config_file=None, debug=False)
    assert program.run(lambda *_: 0, options) == 1
    assert capsys.readouterr().err.startswith(f"a: {default}: cannot be ")


WIDE = 100


def test_help_has_a_line_for_each_command():
    lines = (
        built(overview.ListCommands, "openstack vhard")
        .format_help()
        .splitlines()
    )
    for name in desk.COMMANDS.names - {"vhard"}:
        words = name.removeprefix("vhard_").replace("_", " ")
        (line,) = [x for x in lines if x.startswith(f"  {words}  ")]
        assert line.endswith(".") and len(line) <= WIDE


@pytest.mark.parametrize(
    ("words", "status", "shown"),
    [
        ((), 0, len(desk.COMMANDS.names) - 1),
        (("device",), 0, 4),
        (("host", "l"), 0, 1),
        (("hots",), 2, 0),
    ],
)
def test_commands_by_the_beginning_of_a_name(words, status, shown):
    done = desk.run(overview.ListCommands, *words)
    assert (done.status, done.out.count("\n")) == (status, shown)
    assert ("no command begins with vhard hots" in done.err) == (status == 2)


def test_lists_fit_a_terminal():
    names = ["passthrough_one_time_use"] * 30
    assert len(str(NotPassed(names).human_readable())) <= 40
    assert NotPassed(["smt"]).human_readable() == "smt"
    assert NotPassed(names).machine_readable() == names
    assert built(ListDevices, "x").get_default("max_width") == WIDE


LOADING = """
import importlib.metadata, sys
for group in ("openstack.cli.extension", "openstack.vhard.v1"):
    for entry in importlib.metadata.entry_points(group=group):
        if entry.value.startswith("nova_vhard."):
            entry.load()
print(*sys.modules)
from nova_vhard.osc import lazy
lazy.policy.show.CheckPolicy.resolve()
print(*sys.modules)
"""


def test_imported_modules():
    """openstackclient loads all commands before it runs any.

    A check of a policy spends most of its time on imports.
    """
    output = subprocess.check_output([sys.executable, "-c", LOADING])
    loaded, checking = (
        {*line.split()} for line in output.decode().splitlines()
    )
    assert {name for name in loaded if name.startswith("nova_vhard")} == {
        *("nova_vhard", "nova_vhard.osc"),
        *("nova_vhard.osc.lazy", "nova_vhard.osc.plugin"),
    }
    assert "nova_vhard.policy.document" in checking - loaded
    audit = {"nova_vhard.osc.audits", "glanceclient", "xml.etree.ElementTree"}
    assert not checking & audit


@pytest.mark.parametrize("entry", desk.COMMANDS, ids=lambda entry: entry.name)
def test_every_command_is_there(entry):
    result = entry.load()
    assert isinstance(result, lazy.Lazy)
    assert issubclass(result.resolve(), output.Command)
    # cliff passes the name if the signature has this argument
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


#: Program, a package that it needs, and the extra that requires it.
_LACKING = [
    ("attestor", "stevedore", "attestor"),
    ("cleaner", "stevedore", "cleaner"),
    ("exporter", "oslo_log", "exporter"),
    ("guard", "oslo_log", "guard"),
    ("reporter", "prettytable", "node"),
    ("status", "oslo_upgradecheck", "client"),
]


@pytest.mark.parametrize(("program", "package", "extra"), _LACKING)
def test_the_extra_is_named(program, package, extra, monkeypatch, capsys):
    loader = mock.Mock(
        import_module=mock.Mock(
            side_effect=ModuleNotFoundError(name=f"{package}.part")
        )
    )
    monkeypatch.setattr(programs, "importlib", loader)
    assert getattr(programs, program)() == 255
    loader.import_module.assert_called_with(f"nova_vhard.cmd.{program}")
    assert capsys.readouterr() == (
        "",
        f"nova-vhard-{program}: the Python package {package} is not "
        f"installed: install nova-vhard[{extra}]\n",
    )


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("prettytable", "install nova-vhard[node]"),
        # one of our own modules is missing
        ("nova_vhard.host.report", "Traceback"),
    ],
)
def test_a_program_without_a_module(missing, said):
    code = (
        f"import sys\nsys.modules[{missing!r}] = None\n"
        "from nova_vhard.cmd import programs\n"
        "sys.exit(programs.reporter(['--help']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, check=False
    )
    assert said.encode() in done.stderr
    assert (b"install" in done.stderr) != (b"Traceback" in done.stderr)


def test_a_hosts_own_login_holds_before_that_of_the_other_file(tmp_path):
    own, enrolled = placement.files(str(tmp_path / "a.conf"))
    assert enrolled == str(tmp_path / "a-placement.conf")
    program = daemon.Program(
        "a",
        (own, enrolled),
        argparse.Namespace(
            register=placement.register,
            GROUP=placement.GROUP,
            OPTS=(),
        ),
    )
    options = argparse.Namespace(config_file=None, debug=False)
    assert program.configure(options).placement.auth_section is None
    for path, section in ((own, "one"), (enrolled, "two")):
        with open(path, "w") as file:
            file.write(f"[placement]\nauth_section = {section}\n")
        assert program.configure(options).placement.auth_section == section
    options.config_file = [own]
    assert program.configure(options).placement.auth_section == "one"


def configure(tmp_path, module, name, value):
    """Return the value of an option that a configuration file sets."""
    path = tmp_path / "a.conf"
    path.write_text(f"[{module.GROUP.name}]\n{name} = {value}\n")
    program = daemon.Program("a", (), module)
    return program.configure(
        argparse.Namespace(config_file=[str(path)], debug=False)
    )[module.GROUP.name][name]


@pytest.mark.parametrize(
    ("module", "name", "value", "said"),
    [
        (reporter, "interval", "", " has no value.*default"),
        (exporter, "port", "", " has no value.*default"),
        (attestor, "timeout", "", " has no value.*default"),
        (attestor, "timeout", "nan", " is nan"),
        (attestor, "timeout", "-NaN", " is nan"),
        (cleaner, "state_path", "", " has no value"),
        (guard, "hooks_dir", "", " has no value"),
        (attestor, "key_file", "", " has no value"),
        (cleaner, "root", "", " has no value"),
        (cleaner, "rules_file", "/a\0b", " has a character"),
        (guard, "disk_paths", "/a\0b", " has a character"),
        (cleaner, "rules_file", "/$unknown", r": .*unknown.*\$\$"),
        (guard, "disk_paths", "/$unknown", r": .*unknown.*\$\$"),
    ],
)
def test_an_invalid_value_is_named(tmp_path, module, name, value, said):
    place = rf"\[{module.GROUP.name}\] {name}"
    with pytest.raises(ValueError, match=f"{place}{said}"):
        configure(tmp_path, module, name, value)


def test_options_with_a_path_must_not_be_empty(tmp_path):
    assert configure(tmp_path, reporter, "textfile_directory", "") == ""
    for module in (attestor, cleaner, exporter, guard, reporter):
        for option in module.OPTS:
            if str(option.default).startswith("/"):
                places = (*daemon._PLACES, "_directory")
                assert option.dest.endswith(places), option.dest
