# SPDX-License-Identifier: Apache-2.0
"""openstack vhard server audit."""

import argparse
import datetime
from collections.abc import Iterable, Iterator
from typing import Any

from osc_lib import exceptions

from nova_vhard.common.text import quote
from nova_vhard.osc import (
    output,
    paging,
    policies,
)
from nova_vhard.osc.progress import Progress
from nova_vhard.osc.server import exempting, selection
from nova_vhard.osc.server.facts import Facts
from nova_vhard.osc.server.servers import (
    COLUMNS,
    UNSEEN,
    Row,
    rows,
)
from nova_vhard.policy.model import Policy


class AuditServers(output.Lister):
    """List servers that violate the policy, and what that means for each

    Judged are the image metadata that Nova keeps with a server, what a
    rebuild would read today (its image, or its root volume's metadata), its
    flavor, its ports, and the names of its disks. What cannot be seen has a
    row of its own. Nothing is changed.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which servers, and by which policy."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        selection.add_options(parser)
        policies.add_option(parser, "policy by which servers are judged")
        parser.add_argument(
            "--write-exemptions",
            metavar="<file>",
            help="write a policy file with exemptions for the servers that "
            "violate the policy: each may keep what it has, and nothing "
            "else. A file that is there already is not overwritten",
        )
        parser.add_argument(
            "--until",
            metavar="<date>",
            type=_day,
            help="last day on which those exemptions hold, as 2027-03-31 "
            f"(default: in {exempting.DAYS} days)",
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Iterable[str], Iterable[Row]]:
        """Return one row a violation."""
        target = parsed_args.write_exemptions
        if target:
            exempting.refuse_existing(target)
        elif parsed_args.until:
            raise exceptions.CommandError(
                "--until is for the exemptions of --write-exemptions"
            )
        policy = policies.load(parsed_args.policy)
        audit = Audit(self.app, policy, listing=bool(target))
        try:
            result = list(audit.rows(parsed_args))
        except paging.ERRORS as error:
            raise exceptions.CommandError(f"Nova: {error}") from error
        notes = audit.notes()
        if target:
            notes += _written(target, audit, parsed_args)
        for line in notes:
            self.say(line)
        return COLUMNS, result


def _written(
    path: str, audit: "Audit", options: argparse.Namespace
) -> list[str]:
    """Write the exemptions; return what a person should know of them."""
    until = options.until or audit.today + datetime.timedelta(exempting.DAYS)
    if audit.exempted.servers:
        exempting.write(path, options.policy, audit.exempted, until)
    return list(exempting.notes(path, audit.exempted))


def _day(text: str) -> datetime.date:
    """Return a date that is not over.

    :raises ArgumentTypeError: if it is none
    """
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        day = datetime.date.min
    if day < datetime.datetime.now(datetime.UTC).date():
        raise argparse.ArgumentTypeError(
            f"{quote(text)} is no day to come; write it as 2027-03-31"
        )
    return day


class Audit:
    """One audit of servers.

    :ivar seen: how many servers were looked at
    :ivar today: the day (UTC) of the audit
    :ivar exempted: the servers that violate the policy, if they are listed
    """

    def __init__(
        self, app: Any, policy: Policy, listing: bool = False
    ) -> None:
        """Ask nothing yet.

        :param listing: whether the servers that violate are to be exempted
        """
        self._app = app
        self._listing = listing
        self._policy = policy
        self._facts = Facts(app.client_manager.vhard, policy)
        self.today = datetime.datetime.now(datetime.UTC).date()
        self.exempted = exempting.ExemptionList(policy, self.today)
        self.seen = 0
        self._violate = 0
        self._unseen = 0

    def rows(self, options: argparse.Namespace) -> Iterator[Row]:
        """Yield a row a violation, and one for what cannot be seen.

        :param options: as ``server_select`` adds them
        :raises ERRORS: of ``paging``, if Nova does not answer
        """
        progress = Progress("servers")
        facts = self._facts
        try:
            for page in selection.pages(
                self._app, options, facts.microversion
            ):
                for server in facts.of_page(page):
                    result = rows(self._policy, server, self.today)
                    if self._listing:
                        self.exempted.add(server)
                    rules = [row[COLUMNS.index("Rule")] for row in result]
                    self._violate += any(rule != UNSEEN for rule in rules)
                    self._unseen += UNSEEN in rules
                    yield from result
                    progress.step(self._violate)
                self.seen += len(page)
        finally:
            progress.end()

    def notes(self) -> list[str]:
        """Return what the rows do not say, for a person."""
        return [
            f"{self.seen} servers looked at, {self._violate} violate, "
            f"{self._unseen} not seen whole",
            *self._facts.notes(),
        ]
