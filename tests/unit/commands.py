# SPDX-License-Identifier: Apache-2.0
"""The commands that a page shows, each parsed by what would run it."""

import importlib.metadata
import os
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

from nova_vhard.cli import cleaner, exporter, reporter
from tests.unit.docs import ETC, ROOT, blocks

_PARSERS = {
    "nova-vhard-cleaner": cleaner._parser,
    "nova-vhard-exporter": exporter._parser,
    "nova-vhard-reporter": reporter._parser,
}
_GROUPS = ("openstack.vhard.v1", "openstack.image.v2", "openstack.compute.v2")

#: Held against the code only where they are installed.
ELSEWHERE = ("nova-vhard-status",)

#: What is the system's own. Nothing else may be shown.
_SYSTEM = frozenset(("cd", "chmod", "cp", "curl", "editor", "mv", "sed"))
_SYSTEM |= {".", "apt-get", "journalctl", "python3", "systemctl", "truncate"}


def shown(page: Path) -> list[str]:
    """Return the commands in a page's console blocks, each in one line."""
    return [
        re.sub(r"\\\n\s*", "", command)
        for block in blocks(page, "console")
        for command in re.findall(
            r"^\s*[#$] ((?:.*\\\n)*.*)$", block, re.MULTILINE
        )
    ]


def check(command: str) -> None:
    """Parse a command as it would be parsed where it runs.

    :raises AssertionError: if it does not exist
    :raises SystemExit: if it has arguments that it does not take
    """
    program, *arguments = shlex.split(command)
    name = program.rpartition("/")[2]
    if name in ELSEWHERE:
        return
    if name in _PARSERS:
        _PARSERS[name]().parse_args(arguments)
    elif name == "openstack":
        _check_openstack(arguments)
    elif program.startswith("tools/"):
        assert os.access(ROOT / program, os.X_OK), program
        told = (ROOT / program).read_text(encoding="utf-8")
        for argument in arguments:
            assert argument in told, argument
    elif name == "pip":
        assert arguments[0] == "install"
    else:
        assert name in _SYSTEM, name
        _check_files(name, arguments)


def _check_openstack(words: list[str]) -> None:
    """Find the longest name of a command, and parse the rest."""
    found = {
        entry.name.replace("_", " "): entry
        for group in _GROUPS
        for entry in importlib.metadata.entry_points(group=group)
    }
    for length in range(len(words), 0, -1):
        entry = found.get(" ".join(words[:length]).replace("_", " "))
        if entry is not None:
            app = SimpleNamespace(client_manager=None)
            parser = entry.load()(app, None).get_parser(entry.name)
            parser.parse_args(words[length:])
            return
    given = " ".join(words)
    assert given.startswith(ELSEWHERE), f"no command openstack {given}"


def _check_files(name: str, arguments: list[str]) -> None:
    """Our own units and samples that are named have to be there."""
    for one in arguments:
        file = one.rpartition("/")[2]
        if file.startswith("nova-vhard") and name in ("cp", "systemctl"):
            unit = file if "." in file else f"{file}.service"
            assert (ETC / unit).exists(), unit
