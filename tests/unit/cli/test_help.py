# SPDX-License-Identifier: Apache-2.0
"""What --help, --version and wrong arguments come to, everywhere."""

import argparse
import importlib.metadata
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
from tests.unit.cli import desk

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


COMMANDS = importlib.metadata.entry_points(group="openstack.vhard.v1")


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


@pytest.mark.parametrize("name", COMMANDS.names)
def test_help_of_a_command_is_sentences(name):
    kind = COMMANDS[name].load().resolve()
    options = argparse.ArgumentParser()
    kind(SimpleNamespace(client_manager=None), None).add_arguments(options)
    for text in (*helps(options), *kind.__doc__.strip().split("\n\n")):
        assert text and SENTENCE.match(text.strip()), text


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


@pytest.mark.parametrize("name", COMMANDS.names)
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


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_of_a_program_is_sentences(name):
    parser = PROGRAMS[name]._parser()
    of_status = [option.help for option in status_conf.OPTS]
    for text in (*helps(parser), *of_status):
        assert text and SENTENCE.match(text), text
    assert parser.description.endswith((".", "?"))


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


#: Group [placement] of a file, and what is said of it.
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
