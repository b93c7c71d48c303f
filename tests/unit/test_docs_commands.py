# SPDX-License-Identifier: Apache-2.0
"""Commands that pages show exist, and do what the pages say."""

import contextlib
import importlib.metadata
import io
import re
import shlex
import subprocess

import pytest

from nova_vhard.cmd import paste, status
from nova_vhard.conf import status as status_conf
from nova_vhard.gates import http
from nova_vhard.osc.decision import counts, summary
from nova_vhard.osc.policy import (
    case_file,
    published,
    show,
    trial,
)
from nova_vhard.osc.policy.case_file import SCHEMA
from nova_vhard.policy import document
from nova_vhard.policy.hosts import NO_CANDIDATE, NOBODY, UNKNOWN
from nova_vhard.request.described import LOOKED_AT
from nova_vhard.status import gates
from tests import ran
from tests.unit import commands
from tests.unit.docs import (
    COMMANDS,
    INSTALL,
    MONITORING,
    README,
    ROOT,
    SECURITY,
    SOURCE,
    blocks,
    schema_keys,
    words,
)

QUICK_START = SOURCE / "quick-start.rst"
BREAK_GLASS = SOURCE / "admin" / "break-glass.rst"
ROLL_OUT = SOURCE / "admin" / "roll-out.rst"
MAN_PAGES = {path.stem: path for path in (SOURCE / "cli").glob("nova-*.rst")}
#: oslo.config's own, which every program of its has.
OSLO = {"--config-dir", "--config-file", "--shell_completion"}


SHOWING = (
    README,
    QUICK_START,
    BREAK_GLASS,
    ROLL_OUT,
    MONITORING,
    SOURCE / "admin" / "exporter.rst",
)


@pytest.mark.parametrize(
    "command", [each for page in SHOWING for each in commands.shown(page)]
)
def test_a_command_that_is_shown_exists_and_takes_its_arguments(command):
    commands.check(command)


@pytest.mark.parametrize(
    "command",
    [
        "openstack vhard image adit --all",
        "tools/demos.sh",
        "tools/demo.sh --without-doors",
        "novavhard check",
        "nova-vhard-status upgrade chek",
        "cp nova-vhard-export.service /etc/systemd/system/",
        "openstack vhard image audit --everything",
        "openstack image create --disk-format x86 y",
        "nova-vhard-reporter check --quietly",
        "/opt/nova-vhard/bin/nova-vhard-exporter --port 1",
        "nova-vhard-paste drop nova /etc/nova/api-paste.ini",
        "nova-vhard-status upgrade check --jsn",
    ],
)
def test_a_command_or_argument_that_does_not_exist_would_be_found(command):
    with pytest.raises((AssertionError, FileNotFoundError, SystemExit)):
        commands.check(command)


RAN = (*ran.ON_THE_DEMO, *ran.ELSEWHERE, *ran.BY_CI)
#: Of README and quick start: in a sentence, perhaps without its arguments.
INLINE = {*commands.inline(README), *commands.inline(QUICK_START)}
DOCUMENTED = INLINE | {
    command
    for page in (README, QUICK_START)
    for command in (*commands.shown(page), *commands.literal(page))
}


@pytest.mark.parametrize("command", sorted(DOCUMENTED))
def test_a_command_that_is_documented_is_run(command):
    if command.startswith("tox -e "):
        tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
        assert f"[testenv:{command.removeprefix('tox -e ')}]" in tox
    elif command in INLINE:
        assert any(f"{each} ".startswith(f"{command} ") for each in RAN)
    else:
        assert command in RAN


def test_what_is_run_is_documented_and_run_where_it_is_said():
    assert set(RAN) <= DOCUMENTED
    assert len(RAN) == len(set(RAN))
    for command, script in ran.BY_CI.items():
        assert command in (ROOT / script).read_text(encoding="utf-8")
    for test in ran.ELSEWHERE.values():
        file, _, name = test.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^(def|class) {name}\b", text, re.MULTILINE)


def scripts():
    """Return our programs that are installed, with their functions."""
    result = importlib.metadata.entry_points(group="console_scripts")
    return {
        each.name: each
        for each in result
        if each.value.startswith("nova_vhard.")
    }


def options_of(main, *command):
    """Return every option of a program and of its commands."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        main([*command, "--help"])
    # Python before 3.13 has the value behind the short name, too.
    option = r"^  (?:-\w.*?, )?(--[\w-]+)"
    options = set(re.findall(option, text.getvalue(), re.MULTILINE))
    for names in re.findall(r"^  \{([\w,-]+)\}", text.getvalue(), re.M):
        if not command:
            each = (options_of(main, name) for name in names.split(","))
            options.update(*each)
    return options


@pytest.mark.parametrize("name", sorted(scripts().keys() | MAN_PAGES.keys()))
def test_a_man_page_has_every_option(name):
    options = options_of(scripts()[name].load())
    assert "--help" in options
    text = MAN_PAGES[name].read_text(encoding="utf-8")
    _, _, section = text.partition("\nOptions\n=======\n")
    listed = re.findall(r"^``.*``$", section, re.MULTILINE)
    named = set(re.findall(r"``(--[\w-]+)", "\n".join(listed)))
    assert named - OSLO == options - OSLO
    synopsis = text.partition("\nDescription\n")[0]
    for option in named - {"--help", "--version"}:
        assert option in synopsis


def test_every_man_page_is_built():
    names = {"__file__": str(SOURCE / "conf.py")}
    exec((SOURCE / "conf.py").read_text(encoding="utf-8"), names)
    built = {page: name for page, name, *_ in names["man_pages"]}
    assert built == {f"cli/{name}": name for name in MAN_PAGES}
    assert scripts().keys() == MAN_PAGES.keys()
    index = words(SOURCE / "cli" / "index.rst")
    assert all(name in index for name in MAN_PAGES)


@pytest.mark.parametrize(
    "text",
    [
        'version: "1"\nextends: baseline\n',
        'version: "1"\nextends: baseline',
        'version: "1"\nenabled: true\nextends: baseline\n',
        'version: "1"\nextends: baseline\nenabled: true',
    ],
)
def test_breaking_the_glass_lets_everything_pass(tmp_path, text):
    path = tmp_path / "policy.new"
    path.write_text(text)
    (shown,) = [
        each
        for each in commands.shown(BREAK_GLASS)
        if "enabled: false" in each
    ]
    *command, last = shlex.split(shown)
    assert last == "/etc/nova-vhard/policy.new"
    subprocess.run([*command, str(path)], check=True)
    assert not document.load(str(path)).enabled


def test_the_page_says_what_the_gates_answer():
    text = words(SECURITY)
    begin, _, end = UNKNOWN.partition("{checks}")
    for sentence in (
        http.NO_POLICY_TEXT,
        http.LOOKUP_TEXT,
        f"*{NOBODY.partition(' {')[0]} …*",
        f"*{NO_CANDIDATE.partition(' {')[0]} …*",
        f"*{begin}… {end.partition(';')[0].strip()}*",
    ):
        assert sentence in text
    assert http.NO_POLICY_TEXT.partition(" at the")[0] in words(BREAK_GLASS)


KINDS = {
    "policy check": show.CheckPolicy,
    "policy schema": published.PrintSchema,
    "policy show": show.ShowPolicy,
    "policy test": trial.RunPolicyTests,
    "policy explain": trial.ExplainPolicy,
    "decision summary": summary.SummarizeDecisions,
}


PARSERS = {name: KINDS[name](None, None).get_parser("test") for name in KINDS}


def test_every_command_that_is_shown_takes_its_arguments():
    text = "".join(blocks(COMMANDS, "console")).replace("\\\n", " ")
    names = set()
    for line in re.findall(r"^\$ openstack vhard (.*)$", text, re.MULTILINE):
        parts = shlex.split(line)
        PARSERS[" ".join(parts[:2])].parse_args(parts[2:])
        names.add(" ".join(parts[:2]))
    assert names == set(KINDS)


def test_options_that_are_named_exist_and_all_of_ours_are():
    known = {
        option
        for parser in PARSERS.values()
        for option in parser._option_string_actions
    }
    ours = {
        option
        for parser in PARSERS.values()
        for group in parser._action_groups[:2]
        for action in group._group_actions
        for option in action.option_strings
        if option.startswith("--") and option != "--help"
    }
    assert set(re.findall(r"(?<![-\w])--[a-z][a-z-]*", COMMANDS)) <= known
    assert {each for each in ours if each not in COMMANDS} == set()


def test_every_key_of_a_test_is_explained():
    # Other keys of a block device are Nova's, and do not count.
    devices = SCHEMA["properties"]["cases"]["items"]["properties"]
    others = {path[-1] for path in schema_keys(devices["block_devices"])}
    others = others - {"device_type", "disk_bus"} | {"cases"}
    keys = {path[-1] for path in schema_keys(SCHEMA)} - others
    named = {*keys, *LOOKED_AT, *counts.BY}
    assert {each for each in named if f"``{each}``" not in COMMANDS} == set()
    assert f"{counts.GROUPS:,} groups" in words(COMMANDS)


def test_the_file_of_tests_that_is_shown_can_be_read(tmp_path):
    (block,) = [case for case in blocks(COMMANDS, "yaml") if "cases:" in case]
    path = tmp_path / "tests.yaml"
    path.write_text(block, encoding="utf-8")
    result = case_file.read(str(path))
    assert result.policy == str(tmp_path / "policy.yaml")
    (case,) = result.tests
    assert case.case.subject.image == "5f3e8b6c-6a55-4b0e-9d0d-3f8a55b0a0c1"


DEVSTACK = ROOT / "devstack"
#: Where the checkout and the commands are is devstack's matter.
SETTINGS = re.findall(
    r"^(NOVA_VHARD_(?!DIR|BIN_DIR)\w+)=",
    (DEVSTACK / "settings").read_text(encoding="utf-8"),
    re.MULTILINE,
)


@pytest.mark.parametrize(
    ("page", "pattern", "names"),
    [
        (MONITORING, r"^([A-Z][\w -]+)\n   \S", [*status.CHECKS]),
        (
            SOURCE / "cli" / "nova-vhard-status.rst",
            r"``--([\w-]+) [A-Z]+``",
            [each.name for each in status_conf.OPTS],
        ),
        (DEVSTACK / "README.rst", r"^``(NOVA_VHARD_\w+)``", SETTINGS),
    ],
    ids=["checks", "options", "devstack"],
)
def test_a_page_has_all_names(page, pattern, names):
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(pattern, text, re.MULTILINE)) == set(names)


def test_the_paste_commands_that_are_shown(tmp_path, capsys):
    (block,) = [each for each in blocks(INSTALL, "console") if "paste" in each]
    commands = re.findall(r"^# nova-vhard-paste (\w+) (\w+) ", block, re.M)
    assert commands == [("add", "nova"), ("add", "glance")]
    for action, service in commands:
        anchor = paste.SERVICES[service].after[0]
        file = tmp_path / "paste.ini"
        file.write_text(f"[pipeline:a]\npipeline = {anchor} app\n[app:app]\n")
        assert paste.main([action, service, str(file)]) == 0
        text = capsys.readouterr().out.partition(": ")[2]
        assert f": {text}" in block + "\n"


def test_the_filter_has_one_name():
    plugin = (ROOT / "devstack" / "plugin.sh").read_text(encoding="utf-8")
    assert f"NOVA_VHARD_FILTER={gates.FILTER}\n" in plugin
    source = (ROOT / "nova_vhard/gates/scheduler.py").read_text("utf-8")
    assert f"class {gates.FILTER}(" in source
