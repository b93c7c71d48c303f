# SPDX-License-Identifier: Apache-2.0
"""Help, imports and options of all commands and programs."""

import argparse
import contextlib
import inspect
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from cliff import app, commandmanager
from osc_lib.command import command
from oslo_config import cfg

from nova_vhard.cmd import daemon, programs
from nova_vhard.conf import attestor, cleaner, exporter, guard, reporter
from nova_vhard.conf import placement as placement_conf
from nova_vhard.conf import status as status_conf
from nova_vhard.osc import lazy, output
from nova_vhard.osc.device.show import ListDevices
from nova_vhard.osc.host.listing import NotPassed
from nova_vhard.osc.overview import ListCommands
from nova_vhard.osc.policy.trial import ExplainPolicy
from tests.unit.cli import desk
from tests.unit.cli.desk import COMMANDS, PROGRAMS

SENTENCE = re.compile(r"[^a-z ].*[.!]$", re.DOTALL)


def helps(parser):
    """Yield what each option says, and those of commands within it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from (each.help for each in action._choices_actions)
            for inner in action.choices.values():
                yield from helps(inner)
        elif not isinstance(action, argparse._HelpAction):
            yield action.help


def built(kind, name):
    return kind(SimpleNamespace(client_manager=None), None).get_parser(name)


@pytest.mark.parametrize("name", sorted(COMMANDS.names))
def test_help_of_a_command_is_sentences(name):
    kind = COMMANDS[name].load().resolve()
    options = argparse.ArgumentParser()
    kind(SimpleNamespace(client_manager=None), None).add_arguments(options)
    for text in (*helps(options), *kind.__doc__.strip().split("\n\n")):
        assert text and SENTENCE.match(text.strip()), text


def test_help_of_programs_is_sentences():
    texts = [option.help for option in status_conf.OPTS]
    for name in PROGRAMS.keys() - {"nova-vhard-status"}:
        parser = PROGRAMS[name]._parser()
        texts += helps(parser)
        assert parser.description.endswith((".", "?"))
    assert [x for x in texts if not (x and SENTENCE.match(x))] == []


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


@pytest.mark.parametrize("name", sorted(COMMANDS.names))
@pytest.mark.parametrize(
    ("form", "out"), [("table", ""), ("json", "[]\n"), ("value", "")]
)
def test_an_empty_table_is_not_all_that_is_said(name, form, out, monkeypatch):
    kind = COMMANDS[name].load().resolve()
    if not issubclass(kind, output.Lister) or name in COUNTING:
        return
    monkeypatch.setattr(kind, "take_action", lambda *_: (("A",), []))
    parser = built(kind, name)
    needed = ["x" for each in parser._actions if not each.option_strings]
    done = desk.run(kind, *needed, "-f", form)
    assert (done.status, done.out) == (0, out)
    assert done.err.startswith("0 ")
    assert done.err.count("\n") == 1


#: Group [placement] of a file, and the error message.
LOGINS = [
    ("", "[placement] of {}: no login to Placement: it has no auth_type"),
    (
        "[placement]\nauth_section = mine\n",
        "[mine] of {}: no login to Placement: it has no auth_type",
    ),
    (
        "[placement]\nauth_type = password\n",
        "[placement] of {}: Auth plugin requires parameters which were "
        "not given: auth_url",
    ),
    (
        "[placement]\nauth_type = nonsense\n",
        "[placement] of {}: The plugin nonsense could not be found",
    ),
]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("nova-vhard-reporter", "sweep"),
        ("nova-vhard-reporter", "withdraw"),
        ("nova-vhard-cleaner", "once"),
    ],
)
@pytest.mark.parametrize(("text", "stated"), LOGINS)
def test_login_that_is_missing_is_named(
    name, command, text, stated, tmp_path, capsys
):
    path = tmp_path / "a.conf"
    path.write_text(
        f"[vhard_cleaner]\nstate_path = {tmp_path}\n"
        f"[vhard_reporter]\nprovider_name=a\n{text}"
    )
    code = PROGRAMS[name].main(["--config-file", str(path), command])
    printed = capsys.readouterr()
    assert (code, printed.out) == (1, "")
    assert f"\n{name}: {stated.format(path)}" in f"\n{printed.err}"
    assert "Traceback" not in printed.err


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


def test_what_the_system_says_has_no_number(tmp_path, capsys):
    path = tmp_path / "a.conf"
    path.write_text(f"[vhard_cleaner]\nstate_path = {path}\n")
    words = ["--config-file", str(path), "show", "0000:3b:00.0"]
    assert PROGRAMS["nova-vhard-cleaner"].main(words) == 1
    printed = capsys.readouterr().err
    assert "Errno" not in printed
    assert printed.startswith(f"nova-vhard-cleaner: {path}/")


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


def imported(code):
    """Return the names of the modules that are loaded after this code."""
    command = [
        sys.executable,
        "-c",
        f"import sys\n{code}\nprint(*sys.modules)",
    ]
    return set(subprocess.check_output(command, text=True).split())


def test_to_load_all_commands_imports_none():
    """openstackclient loads all commands before it runs any."""
    names = imported(
        """
import importlib.metadata
for group in ("openstack.cli.extension", "openstack.vhard.v1"):
    for entry in importlib.metadata.entry_points(group=group):
        if entry.value.startswith("nova_vhard."):
            entry.load()
"""
    )
    plugin = {"nova_vhard.osc.lazy", "nova_vhard.osc.plugin"}
    ours = {name for name in names if name.startswith("nova_vhard")}
    assert ours == {"nova_vhard", "nova_vhard.osc"} | plugin


def test_a_check_of_a_policy_imports_nothing_of_an_audit():
    """The command spends most of its time on imports."""
    names = imported(
        "from nova_vhard.osc import lazy\n"
        "lazy.policy.show.CheckPolicy.resolve()"
    )
    assert "nova_vhard.policy.document" in names
    audit = {"nova_vhard.osc.audits", "glanceclient", "xml.etree.ElementTree"}
    assert not names & audit


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
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


class Remembering(command.Command):
    """A command that records the name with which cliff finds its hooks."""

    names = []

    def take_action(self, parsed_args):
        """Record the name."""
        self.names.append(self.cmd_name)


def test_cliff_passes_the_name_of_a_command(monkeypatch):
    manager = commandmanager.CommandManager("openstack.vhard.v1")
    program = app.App("a program", "1", manager)
    monkeypatch.setattr(lazy.Lazy, "resolve", lambda self: Remembering)
    assert program.run(["vhard", "policy", "check"]) == 0
    assert Remembering.names == ["vhard policy check"]


#: Program, a package that it needs, and the extra that requires it.
_LACKING = [
    ("attestor", "stevedore", "attestor"),
    ("cleaner", "stevedore", "cleaner"),
    ("exporter", "oslo_log", "exporter"),
    ("guard", "oslo_log", "guard"),
    ("reporter", "prettytable", "node"),
    ("status", "oslo_upgradecheck", "client"),
]


def run(program, missing):
    code = (
        "import sys\n"
        f"sys.modules[{missing!r}] = None\n"
        "from nova_vhard.cmd import programs\n"
        f"sys.argv = ['nova-vhard-{program}', '--help']\n"
        f"sys.exit(programs.{program}())\n"
    )
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("program", "package", "extra"), _LACKING)
def test_the_extra_is_named(program, package, extra):
    ended = run(program, package)
    assert (ended.returncode, ended.stdout) == (255, "")
    assert ended.stderr == (
        f"nova-vhard-{program}: the Python package {package} is not "
        f"installed: install nova-vhard[{extra}]\n"
    )


@pytest.mark.parametrize("program", sorted({row[0] for row in _LACKING}))
def test_with_everything_it_starts(program, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"nova-vhard-{program}", "--help"])
    with contextlib.suppress(SystemExit):
        assert getattr(programs, program)() == 0
    assert f"usage: nova-vhard-{program}" in capsys.readouterr().out


def test_a_module_of_ours_that_is_missing_is_a_fault():
    ended = run("reporter", "nova_vhard.host.report")
    assert "Traceback" in ended.stderr
    assert "install nova-vhard" not in ended.stderr


def test_a_hosts_own_login_holds_before_that_of_the_other_file(tmp_path):
    own, enrolled = placement_conf.files(str(tmp_path / "a.conf"))
    assert enrolled == str(tmp_path / "a-placement.conf")
    program = daemon.Program(
        "a",
        (own, enrolled),
        argparse.Namespace(
            register=placement_conf.register,
            GROUP=placement_conf.GROUP,
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
    options = argparse.Namespace(config_file=[str(path)], debug=False)
    return program.configure(options)[module.GROUP.name][name]


def options(*kinds):
    return [
        pytest.param(module, option, id=f"{module.GROUP.name}-{option.name}")
        for module in (attestor, cleaner, exporter, guard, reporter)
        for option in module.OPTS
        if isinstance(option, kinds)
    ]


@pytest.mark.parametrize(
    ("module", "option"),
    options(cfg.IntOpt, cfg.FloatOpt, cfg.PortOpt),
)
def test_what_is_not_a_number_is_named(tmp_path, module, option):
    values = {"": "has no value.*default"}
    if isinstance(option, cfg.FloatOpt):
        values |= {"nan": "is nan", "-NaN": "is nan"}
    for value, said in values.items():
        place = rf"\[{module.GROUP.name}\] {option.name} {said}"
        with pytest.raises(ValueError, match=place):
            configure(tmp_path, module, option.name, value)


@pytest.mark.parametrize(
    ("module", "option"), options(cfg.StrOpt, cfg.ListOpt)
)
def test_a_text_that_leads_nowhere_is_named(tmp_path, module, option):
    place = rf"\[{module.GROUP.name}\] {option.name}"
    if not getattr(option.type, "regex", None):
        with pytest.raises(ValueError, match=f"{place} has a character"):
            configure(tmp_path, module, option.name, "/a\0b")
    with pytest.raises(ValueError, match=rf"{place}: no such.*\$\$"):
        configure(tmp_path, module, option.name, "/$unknown")
    if option.name.endswith(("_path", "_dir", "_file")) and option.default:
        with pytest.raises(ValueError, match=f"{place} has no value"):
            configure(tmp_path, module, option.name, "")
    elif option.name.endswith("_directory"):
        assert configure(tmp_path, module, option.name, "") == ""
