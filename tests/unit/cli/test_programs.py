# SPDX-License-Identifier: Apache-2.0
"""A program whose extra is not installed says which, in one line."""

import argparse
import contextlib
import subprocess
import sys

import pytest
from oslo_config import cfg

from nova_vhard.cmd import daemon, programs
from nova_vhard.conf import attestor, cleaner, exporter, guard, reporter
from nova_vhard.conf import placement as placement_conf

#: Program, a package that it needs, and the extra that brings it.
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
    """Read a configuration with one option that is not its default."""
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
