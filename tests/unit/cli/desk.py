# SPDX-License-Identifier: Apache-2.0
"""Commands of ``openstack vhard`` as openstackclient runs them."""

import importlib.metadata
import io
import json
import shlex
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from osc_lib import exceptions

from nova_vhard.cmd import (
    attestor,
    cleaner,
    exporter,
    guard,
    paste,
    reporter,
    status,
)
from nova_vhard.osc import output

COMMANDS = importlib.metadata.entry_points(group="openstack.vhard.v1")
PROGRAMS = {
    f"nova-vhard-{module.__name__.rpartition('.')[2]}": module
    for module in (attestor, cleaner, exporter, guard, paste, reporter, status)
}


class Done(NamedTuple):
    """Result of a command.

    :ivar status: exit status
    :ivar out: standard output
    :ivar err: standard error
    """

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(kind: Any, *arguments: str, **cloud: Any) -> Done:
    """Run a command through its parser and its formatter.

    :param cloud: attributes of ``client_manager``; without any, a command
        that asks a cloud ends with AttributeError
    """
    app = SimpleNamespace(stdout=io.StringIO(), stderr=io.StringIO())
    if cloud:
        app.client_manager = SimpleNamespace(**cloud)
    command = kind(app, None)
    options = command.get_parser("test").parse_args(arguments)
    return Done(
        command.run(options), app.stdout.getvalue(), app.stderr.getvalue()
    )


def rows(kind: Any, *arguments: str) -> list[dict[str, Any]]:
    """Return the rows of a command as JSON has them."""
    result: list[dict[str, Any]] = run(kind, *arguments, "-f", "json").json
    return result


def typed(line: str, capsys: pytest.CaptureFixture[str], **cloud: Any) -> Done:
    """Run a command line: ours, or words behind ``openstack vhard``."""
    program, *words = shlex.split(line)
    try:
        if program in PROGRAMS:
            done = Done(PROGRAMS[program].main(words), *capsys.readouterr())
        else:
            names = (f"vhard_{program}_{words[:1][0]}", f"vhard_{program}")
            name = next(name for name in names if name in COMMANDS.names)
            done = run(
                COMMANDS[name].load().resolve(),
                *words[name.count("_") - 1 :],
                **cloud,
            )
    except exceptions.CommandError as error:
        return Done(1, "", str(error))
    except SystemExit as ended:
        done = Done(int(ended.code or 0), *capsys.readouterr())
    if done.status == output.USAGE:
        # argparse writes the usage before it, and osc-lib lines after it
        return done._replace(
            err=done.err.rpartition("error: ")[2].partition("\n")[0]
        )
    return done
