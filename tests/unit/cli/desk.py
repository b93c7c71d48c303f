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

from nova_vhard.cmd import paste


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
    status = command.run(options)
    return Done(status, app.stdout.getvalue(), app.stderr.getvalue())


def rows(kind: Any, *arguments: str) -> list[dict[str, Any]]:
    """Return the rows of a command as JSON has them."""
    result: list[dict[str, Any]] = run(kind, *arguments, "-f", "json").json
    return result


def typed(line: str, capsys: pytest.CaptureFixture[str], **cloud: Any) -> Done:
    """Run a command line: ours, or words behind ``openstack vhard``."""
    program, *words = shlex.split(line)
    try:
        if program == "nova-vhard-paste":
            return Done(paste.main(words), *capsys.readouterr())
        entries = importlib.metadata.entry_points(group="openstack.vhard.v1")
        for length in (1, 0):
            name = "_".join(("vhard", program, *words[:length]))
            if name in entries.names:
                kind = entries[name].load().resolve()
                return run(kind, *words[length:], **cloud)
        raise AssertionError(f"no command {line}")
    except exceptions.CommandError as error:
        return Done(1, "", str(error))
    except SystemExit as ended:
        # argparse spells the usage and the choices by its release
        said = capsys.readouterr().err.rpartition("error: ")[2]
        said = said.partition(" (choose")[0].partition("\n")[0]
        return Done(int(ended.code or 0), "", said)
