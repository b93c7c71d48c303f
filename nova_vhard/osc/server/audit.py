# SPDX-License-Identifier: Apache-2.0
"""openstack vhard server audit."""

import argparse
import datetime
from collections.abc import Iterable, Iterator
from typing import Any

from osc_lib import exceptions

from nova_vhard.osc import (
    audits,
    exemption_list,
    output,
    paging,
    policies,
)
from nova_vhard.osc.server import selection
from nova_vhard.osc.server.facts import Facts
from nova_vhard.osc.server.servers import (
    COLUMNS,
    Row,
    rows,
    violations,
)
from nova_vhard.policy.model import Policy


class AuditServers(output.Lister):
    """List servers that violate the policy, and what that means for each.

    Judged are the image metadata that Nova keeps with a server, what a
    rebuild would read today (its image, or its root volume's metadata), its
    flavor, its ports, and the names of its disks. What cannot be seen has a
    row of its own. Nothing is changed.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add which servers, and by which policy."""
        selection.add_options(parser)
        policies.add_option(parser, "Policy by which servers are judged")
        exemption_list.add_options(parser, "server")
        audits.add_options(parser)

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Iterable[str], Iterable[Row]]:
        """Return one row a violation."""
        exemption_list.check_options(parsed_args)
        policy = policies.load(parsed_args.policy)
        try:
            audit = Audit(self.app, policy, bool(parsed_args.write_exemptions))
            result = list(audit.rows(parsed_args))
        except paging.ERRORS as error:
            raise exceptions.CommandError(f"Nova: {error}") from error
        notes = audit.notes()
        if parsed_args.write_exemptions:
            notes += exemption_list.finish(
                audit.exempted, parsed_args, audit.today
            )
        for line in notes:
            self.say(line)
        self.status = audit.tally.finish(parsed_args) or int(
            audit.exempted.left_out > 0
        )
        return COLUMNS, result


class Audit:
    """One audit of servers.

    :ivar tally: what was looked at, and what was found in it
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
        self.exempted = exemption_list.ExemptionList("server", self.today)
        self.tally = audits.Tally("servers")

    def rows(self, options: argparse.Namespace) -> Iterator[Row]:
        """Yield a row a violation, and one for what cannot be seen.

        :param options: as ``server_select`` adds them
        :raises ERRORS: of ``paging``, if Nova does not answer
        """
        facts = self._facts
        for page in selection.pages(self._app, options, facts.microversion):
            for server in facts.of_page(page):
                result = rows(self._policy, server, self.today)
                if self._listing:
                    broken = violations(self._policy, server, self.today)
                    self.exempted.add(server.id, broken)
                findings = audits.of_rows(COLUMNS, result)
                self.tally.add(server.id, server.name, findings)
                yield from result

    def notes(self) -> list[str]:
        """Return what the rows do not say, for a person."""
        return [self.tally.totals(), *self._facts.notes()]
