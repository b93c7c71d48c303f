# SPDX-License-Identifier: Apache-2.0
"""openstack vhard host fix: an Ansible playbook for failed checks."""

import argparse
import copy
import datetime
import functools
import importlib.resources
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml
from osc_lib import exceptions

from nova_vhard.common import files
from nova_vhard.common.text import clean
from nova_vhard.host import plugins
from nova_vhard.host.libvirt import virconf
from nova_vhard.osc import audits, output
from nova_vhard.osc.host.listing import add_age
from nova_vhard.placement.fleet import FRESH, HostPosture, fleet

#: A name that Ansible can only read as the name of a host: not a pattern, and
#: not one of its built-in groups.
_HOST = re.compile(r"(?!(?:all|ungrouped)\Z)[A-Za-z0-9][A-Za-z0-9._-]{0,252}")

#: Program that edits libvirt's files on a host, and the variable that holds
#: its source.
_EDITOR = pathlib.Path(virconf.__file__)
_VARIABLE = "vhard_virconf"

_NEVER = "never"
_FAIL = "FAIL"

_HEAD = """\
# Written by openstack vhard host fix, from what hosts have last reported.
#
# No task runs unless you select it: each task has the tag "never" and, as a
# second tag, the name of the check that it fixes.
#
#   ansible-playbook FILE --list-tasks
#   ansible-playbook FILE --tags kernel_aslr --limit HOST --check --diff
#   ansible-playbook FILE --tags kernel_aslr --limit HOST
#
# Hosts have the same names as in Placement: no group of your inventory may
# have such a name. A fix takes effect in the policy after the host's next
# report.
"""


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as it is."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, "|" if "\n" in text else None
    ),
)


class FixHosts(output.Command):
    """Write an Ansible playbook that fixes failed checks.

    The playbook has a play for each host with a failed check. The name of
    each task states the reason and the risk. This command runs no task, and
    the playbook runs a task only if an operator selects the tag of its check.
    For a check that must be fixed manually, the task prints the remediation.
    Exit status 4 if a host has no fresh report, so that its failed checks are
    unknown.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the file, the hosts, and the age of a report."""
        parser.add_argument(
            "hosts",
            nargs="*",
            metavar="<host>",
            help="Name of a compute node (openstack vhard host list); without "
            "any, every host.",
        )
        parser.add_argument(
            "--ansible",
            metavar="<file>",
            required=True,
            help="Playbook to write; an existing file is replaced.",
        )
        add_age(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Write the playbook.

        :raises osc_lib.exceptions.CommandError: if a host is not known, has a
            name that Ansible could misread, or the file cannot be written
        """
        known = fleet(
            self.cloud.placement,
            datetime.datetime.now(datetime.UTC),
            parsed_args.max_report_age,
            results=True,
        )
        hosts = _chosen(known, parsed_args.hosts)
        plays = _plays(hosts)
        text = yaml.dump(plays, Dumper=_Dumper, sort_keys=False, width=78)
        try:
            files.replace(parsed_args.ansible, f"{_HEAD}---\n{text}", 0o644)
        except OSError as error:
            raise exceptions.CommandError(
                output.unwritable(parsed_args.ansible, error)
            ) from error
        tasks = sum(len(play["tasks"]) for play in plays)
        self.say(
            f"{parsed_args.ansible}: {output.counted(tasks, 'task')} for "
            f"{output.counted(len(plays), 'host')} with failed checks; none "
            "runs unless its tag is named"
        )
        for host in hosts:
            if host.status != FRESH:
                self.say(f"{clean(host.name)}: no fresh report: {host.status}")
                self.status = audits.NOT_SEEN


def _chosen(
    known: Iterable[HostPosture], names: Sequence[str]
) -> list[HostPosture]:
    """Return the hosts of some names, or all of them.

    :raises osc_lib.exceptions.CommandError: if there is none of a name
    """
    if not names:
        return list(known)
    hosts = {host.name: host for host in known}
    for name in names:
        if name not in hosts:
            raise exceptions.CommandError(
                f"there is no host {clean(name)}; openstack vhard host list "
                "has the names"
            )
    return [hosts[name] for name in dict.fromkeys(names)]


def _plays(hosts: Iterable[HostPosture]) -> list[dict[str, Any]]:
    """Return a play for each host with a check that has failed.

    :raises osc_lib.exceptions.CommandError: if a name could be misread
    """
    plays = []
    variables = {_VARIABLE: _EDITOR.read_text("utf-8")}
    for host in hosts:
        tasks = [
            task
            for check in plugins.load()
            if host.result(check.name) == _FAIL
            for task in _tasks(check.name, check.id, check.remediation)
        ]
        if not tasks:
            continue
        if not _HOST.fullmatch(host.name):
            raise exceptions.CommandError(
                f"{clean(host.name)} is not a host name for Ansible, which "
                "would take it for something else; name the other hosts"
            )
        plays.append(
            {
                "name": f"Fixes for failed checks of {host.name}",
                "hosts": host.name,
                "become": True,
                "vars": variables if _VARIABLE in str(tasks) else {},
                "tasks": tasks,
            }
        )
    return plays


def _tasks(check: str, number: str, remediation: str) -> list[dict[str, Any]]:
    """Return the tasks of a check, each with its tags and its reason."""
    known = _known().get(check)
    if known is None:
        # Ansible would evaluate braces in the text as an expression.
        text = remediation.replace("{", "(").replace("}", ")")
        known = [
            {
                "name": "fix manually",
                "ansible.builtin.debug": {"msg": text},
            }
        ]
    return [
        {
            **copy.deepcopy(task),
            "name": f"{check} ({number}) - {task['name']}",
            "tags": [_NEVER, check],
        }
        for task in known
    ]


@functools.cache
def _known() -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Return name of a check to its tasks."""
    path = importlib.resources.files(__package__) / "fixes.yaml"
    content: Mapping[str, Sequence[Mapping[str, Any]]] = yaml.safe_load(
        path.read_text(encoding="utf-8")
    )
    return content
