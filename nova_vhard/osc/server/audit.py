# SPDX-License-Identifier: Apache-2.0
"""openstack vhard server audit."""

import argparse
import datetime
from collections.abc import Iterable, Iterator
from typing import Any

from osc_lib import exceptions

from nova_vhard.osc import (
    output,
    paging,
    policies,
)
from nova_vhard.osc.progress import Progress
from nova_vhard.osc.server import selection
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
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Iterable[str], Iterable[Row]]:
        """Return one row a violation."""
        policy = policies.load(parsed_args.policy)
        audit = Audit(self.app, policy)
        try:
            found = list(audit.rows(parsed_args))
        except paging.ERRORS as error:
            raise exceptions.CommandError(f"Nova: {error}") from error
        for line in audit.notes():
            self.say(line)
        return COLUMNS, found


class Audit:
    """One audit of servers.

    :ivar seen: how many servers were looked at
    """

    def __init__(self, app: Any, policy: Policy) -> None:
        """Ask nothing yet."""
        self._app = app
        self._policy = policy
        self._facts = Facts(app.client_manager.vhard, policy)
        self._today = datetime.datetime.now(datetime.UTC).date()
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
                    found = rows(self._policy, server, self._today)
                    rules = [row[COLUMNS.index("Rule")] for row in found]
                    self._violate += any(rule != UNSEEN for rule in rules)
                    self._unseen += UNSEEN in rules
                    yield from found
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
