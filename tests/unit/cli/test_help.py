# SPDX-License-Identifier: Apache-2.0
"""What --help, --version and wrong arguments come to, everywhere."""

import argparse
import configparser
import importlib.metadata
import io
import pkgutil
import re
from types import SimpleNamespace

import pytest

from nova_vhard.cmd import (
    attestor,
    cleaner,
    daemon,
    guard,
    paste,
    reporter,
    status,
)
from nova_vhard.cmd import exporter as exporter
from nova_vhard.conf import status as status_conf
from nova_vhard.osc import output
from tests.unit.docs import ROOT

PROGRAMS = {
    "nova-vhard-attestor": attestor,
    "nova-vhard-cleaner": cleaner,
    "nova-vhard-exporter": exporter,
    "nova-vhard-guard": guard,
    "nova-vhard-paste": paste,
    "nova-vhard-reporter": reporter,
}
ENDED = "nova-vhard-status"
SENTENCE = re.compile(r"[^a-z ].*[.!]$", re.DOTALL)


def commands():
    setup = configparser.RawConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options.entry_points"]["openstack.vhard.v1"].split("\n")
    return dict(re.split(r"\s*=\s*", line) for line in lines if line.strip())


COMMANDS = commands()


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


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_is_sentences(name):
    command = pkgutil.resolve_name(COMMANDS[name]).resolve()
    base = next(
        base
        for base in (output.Lister, output.ShowOne, output.Command)
        if issubclass(command, base)
    )
    body = {"__doc__": ".", "__module__": __name__, "take_action": None}
    bare = type("Bare", (base,), body)
    common = set(helps(built(bare, name)))
    parser = built(command, name)
    for text in set(helps(parser)) - common:
        assert text and SENTENCE.match(text), text
    for part in parser.description.strip().split("\n\n"):
        assert SENTENCE.match(part.strip()), part


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


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("form", "out"), [("table", ""), ("json", "[]\n"), ("value", "")]
)
def test_an_empty_table_is_not_all_that_is_said(name, form, out):
    kind = pkgutil.resolve_name(COMMANDS[name]).resolve()
    if not issubclass(kind, output.Lister) or name in COUNTING:
        return
    app = SimpleNamespace(stdout=io.StringIO(), stderr=io.StringIO())
    body = {
        "__module__": __name__,
        "take_action": lambda *_: (("A",), []),
    }
    command = type("Empty", (kind,), body)(app, None)
    parser = command.get_parser("test")
    needed = ["x" for each in parser._actions if not each.option_strings]
    assert command.run(parser.parse_args([*needed, "-f", form])) == 0
    assert app.stdout.getvalue() == out
    assert app.stderr.getvalue().startswith("0 ")
    assert app.stderr.getvalue().count("\n") == 1


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_of_a_program_is_sentences(name):
    parser = PROGRAMS[name]._parser()
    for text in helps(parser):
        assert text and SENTENCE.match(text), text
    assert parser.description.endswith((".", "?"))


def test_help_of_status_is_sentences():
    for option in status_conf.OPTS:
        assert SENTENCE.match(option.help), option.name


@pytest.mark.parametrize("name", [*PROGRAMS, ENDED])
@pytest.mark.parametrize(
    ("argument", "ended", "said"),
    [
        ("--version", 0, importlib.metadata.version("nova-vhard")),
        ("--nonsense", 2, "usage: "),
        ("nonsense", 2, "usage: "),
    ],
)
def test_how_a_program_ends(name, argument, ended, said, capsys):
    try:
        code = PROGRAMS.get(name, status).main([argument])
    except SystemExit as error:
        code = error.code
    printed = capsys.readouterr()
    assert code == ended
    assert said in (printed.err if ended else printed.out)


LOGINS = [
    ("nova-vhard-reporter", "sweep"),
    ("nova-vhard-reporter", "withdraw"),
    ("nova-vhard-cleaner", "once"),
]


@pytest.mark.parametrize(("name", "command"), LOGINS)
@pytest.mark.parametrize(
    ("text", "stated"),
    [
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
    ],
)
def test_login_that_is_missing_is_named(
    name, command, text, stated, tmp_path, capsys
):
    path = tmp_path / "a.conf"
    state = f"state_path = {tmp_path}\n"
    groups = f"[vhard_cleaner]\n{state}[vhard_reporter]\nprovider_name=a\n"
    path.write_text(groups + text)
    code = PROGRAMS[name].main(["--config-file", str(path), command])
    printed = capsys.readouterr()
    assert (code, printed.out) == (1, "")
    *logged, line = printed.err.splitlines()
    assert line.startswith(f"{name}: {stated.format(path)}")
    assert "Traceback" not in "".join(logged)


@pytest.mark.parametrize("name", sorted({*PROGRAMS} - {"nova-vhard-paste"}))
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read: No such file or directory"),
        ("a folder", "cannot be read: it is a directory, and must be a "),
        (b"[DEFAULT]\n\xff", "is not UTF-8: invalid start byte"),
    ],
    ids=["missing", "folder", "bytes"],
)
def test_file_that_is_none_is_named_with_option_and_fix(
    name, content, why, tmp_path, capsys
):
    path = tmp_path / "a.conf"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        path.mkdir()
    words = {"nova-vhard-exporter": []}.get(name, ["run"])
    code = PROGRAMS[name].main(["--config-file", str(path), *words])
    printed = capsys.readouterr()
    assert code != 0
    (line,) = printed.err.splitlines()
    assert line.startswith(f"{name}: --config-file {path}: {why}")
    assert ": specify files that this user can read with" in line


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
    assert cleaner.main(words) == 1
    printed = capsys.readouterr().err
    assert "Errno" not in printed
    assert printed.startswith(f"nova-vhard-cleaner: {path}/")
