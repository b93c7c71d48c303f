# SPDX-License-Identifier: Apache-2.0
"""The commands that a page shows, each parsed by what would run it."""

import importlib.metadata
import os
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

from oslo_config import cfg
from oslo_upgradecheck import upgradecheck

from nova_vhard.cmd import (
    attestor,
    cleaner,
    exporter,
    guard,
    paste,
    reporter,
    status,
)
from nova_vhard.conf import status as status_conf
from tests.unit.docs import ETC, ROOT, blocks


def _status(arguments: list[str]) -> None:
    conf = cfg.ConfigOpts()
    status_conf.register(conf)
    checks, arguments = status.chosen(arguments)
    upgradecheck.register_cli_options(conf, checks(conf))
    conf(arguments, project="test", default_config_files=[])
    # oslo.upgradecheck takes any word there.
    assert conf.command.check == "check", arguments


_PARSERS = {
    "nova-vhard-attestor": attestor._parser().parse_args,
    "nova-vhard-cleaner": cleaner._parser().parse_args,
    "nova-vhard-exporter": exporter._parser().parse_args,
    "nova-vhard-guard": guard._parser().parse_args,
    "nova-vhard-paste": paste._parser().parse_args,
    "nova-vhard-reporter": reporter._parser().parse_args,
    "nova-vhard-status": _status,
}

#: What is the system's own. Nothing else may be shown.
_SYSTEM = frozenset(("cd", "chmod", "cp", "curl", "editor", "mv", "sed"))
_SYSTEM |= {".", "apt-get", "journalctl", "python3", "systemctl", "touch"}
_SYSTEM |= {"pip", "chown", "openssl", "rabbitmqctl", "truncate"}


_PROMPT = re.compile(r"^[#$] ((?:.*\\\n)*.*)\n?", re.MULTILINE)
#: What begins a command in the middle of a sentence.
_PROGRAM = re.compile("(openstack|python3|tox|nova-vhard-[a-z]+) |tools/")


def sessions(page: Path) -> list[tuple[str, str]]:
    """Return commands in a page's console blocks, and what follows each.

    A command is in one line, without its prompt.
    """
    result = []
    for block in blocks(page, "console"):
        prompts = list(_PROMPT.finditer(block))
        for each, end in zip(
            prompts,
            [*(each.start() for each in prompts[1:]), len(block)],
            strict=True,
        ):
            result.append(
                (re.sub(r"\\\n\s*", "", each[1]), block[each.end() : end])
            )
    return result


def shown(page: Path) -> list[str]:
    """Return the commands in a page's console blocks."""
    return [command for command, _ in sessions(page)]


def literal(page: Path) -> list[str]:
    """Return the lines of a page's literal blocks (``::``)."""
    found = re.compile(r"::\n\n((?: +.*\n|\n)+)").findall(
        page.read_text(encoding="utf-8")
    )
    lines = [line.strip() for block in found for line in block.splitlines()]
    return [line for line in lines if line]


def inline(page: Path) -> list[str]:
    """Return the commands in the sentences of a page."""
    quoted = re.findall("``([^`]+)``", page.read_text(encoding="utf-8"))
    return [
        each
        for each in (" ".join(each.split()) for each in quoted)
        if _PROGRAM.match(each)
    ]


def check(command: str) -> None:
    """Parse a command as it would be parsed where it runs.

    :raises AssertionError: if it does not exist
    :raises SystemExit: if it has arguments that it does not take
    """
    program, *arguments = shlex.split(command)
    name = program.rpartition("/")[2]
    if name in _PARSERS:
        _PARSERS[name](arguments)
    elif name == "openstack":
        _check_openstack(arguments)
    elif program.startswith("tools/"):
        assert os.access(ROOT / program, os.X_OK), program
        text = (ROOT / program).read_text(encoding="utf-8")
        for argument in arguments:
            assert argument in text, argument
    else:
        assert name in _SYSTEM, name
    if name in ("cp", "systemctl"):
        # Our own units and samples that are named have to be there.
        for file in (each.rpartition("/")[2] for each in arguments):
            unit = file if "." in file else f"{file}.service"
            ours = file.startswith("nova-vhard")
            assert not ours or (ETC / unit).exists(), unit


def _check_openstack(words: list[str]) -> None:
    """Find the longest name of a command, and parse the rest."""
    result = {
        entry.name.replace("_", " "): entry
        for group in (
            *("openstack.vhard.v1", "openstack.image.v2"),
            "openstack.compute.v2",
        )
        for entry in importlib.metadata.entry_points(group=group)
        # It takes any words, and says that they are not a command.
        if entry.name != "vhard"
    }
    for length in range(len(words), 0, -1):
        entry = result.get(" ".join(words[:length]).replace("_", " "))
        if entry is not None:
            entry.load()(
                SimpleNamespace(client_manager=None), None
            ).get_parser(entry.name).parse_args(words[length:])
            return
    raise AssertionError(f"no command openstack {' '.join(words)}")


def alike(output: str) -> str:
    """Return what a command printed, without what is never the same.

    White space, addresses, ids, times.
    """
    for pattern, name in (
        (r"https?://[^\s,]+", "URL"),
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "ID"),
        (r"\b[0-9a-f]{32}\b", "ID"),
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
        (r"\b\d+\.\d s\b", "SECONDS"),
        (r"\s+", " "),
    ):
        output = re.sub(pattern, name, output)
    return output.strip()
