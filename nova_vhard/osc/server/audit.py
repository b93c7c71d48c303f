# SPDX-License-Identifier: Apache-2.0
"""openstack vhard server audit."""

import argparse
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any
from urllib.parse import quote

from openstack import exceptions as sdk
from osc_lib import exceptions

from nova_vhard.osc import (
    audits,
    exemption_list,
    output,
    paging,
    policies,
)
from nova_vhard.osc.server.facts import Facts
from nova_vhard.osc.server.servers import (
    COLUMNS,
    Auditor,
    Row,
    violations,
)
from nova_vhard.policy.model import Policy
from nova_vhard.policy.watch import today


class AuditServers(audits.AuditCommand):
    """List servers that violate the policy, and what that means for each.

    Checks the image metadata that Nova keeps with a server, the metadata that
    a rebuild would read today (from its image or its root volume), its flavor,
    its ports, and the names of its disks. A separate row lists anything that
    could not be read. Nothing is changed.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add which servers, and by which policy."""
        parser.add_argument(
            "server",
            nargs="*",
            metavar="<server>",
            help="Ids of servers, or names of your own project's.",
        )
        which = parser.add_mutually_exclusive_group()
        which.add_argument(
            "--all-projects", action="store_true", help="Every server."
        )
        which.add_argument(
            "--project", metavar="<project>", help="Servers of a project."
        )
        which.add_argument(
            "--host", metavar="<host>", help="Servers on a compute host."
        )
        policies.add_option(parser, "Policy to check servers against")
        exemption_list.add_options(parser, "server")
        audits.add_options(parser)

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Iterable[str], Iterable[Row]]:
        """Return one row a violation."""
        exempted = exemption_list.start("server", parsed_args)
        policy = policies.load(parsed_args.policy)
        try:
            audit = Audit(self.app, policy, exempted)
            result = list(audit.rows(parsed_args))
        except paging.ERRORS as error:
            raise exceptions.CommandError(f"Nova: {error}") from error
        self.conclude(parsed_args, audit.tally, audit.facts.notes(), exempted)
        return COLUMNS, result


class Audit:
    """One audit of servers.

    :ivar tally: what was looked at, and what was found in it
    :ivar facts: the reader of what the rows are about
    """

    def __init__(
        self,
        app: Any,
        policy: Policy,
        exempted: exemption_list.ExemptionList | None = None,
    ) -> None:
        """Ask nothing yet.

        :param exempted: gets the servers that violate the policy
        """
        self._app = app
        self._policy = policy
        self._exempted = exempted
        self.facts = Facts(app.client_manager.vhard, policy)
        self.tally = audits.Tally("servers")

    def rows(self, options: argparse.Namespace) -> Iterator[Row]:
        """Yield a row a violation, and one for what cannot be seen.

        :param options: as ``add_arguments`` adds them
        :raises ERRORS: of ``paging``, if Nova does not answer
        """
        day = today()
        auditor = Auditor(self._policy, day)
        for page in _pages(self._app, options, self.facts.microversion):
            for server in self.facts.of_page(page):
                result = auditor.rows(server)
                if self._exempted is not None:
                    broken = violations(self._policy, server, day)
                    self._exempted.add(server.id, broken)
                findings = audits.of_rows(COLUMNS, result)
                self.tally.add(server.id, server.name, findings)
                yield from result


def _pages(
    app: Any, options: argparse.Namespace, microversion: str | None
) -> Iterator[list[dict[str, Any]]]:
    """Yield the servers that the options name, as Nova shows them.

    :param app: openstackclient's application
    :raises UsageError: if they name none
    :raises CommandError: if one is not found
    """
    compute = app.client_manager.vhard.compute

    def get(name: str) -> dict[str, Any]:
        path = f"/servers/{quote(name, safe='')}"
        return dict(paging.get(compute, path, microversion)["server"])

    def listed(params: paging.Params) -> Iterator[list[dict[str, Any]]]:
        return paging.pages(
            compute,
            "/servers/detail",
            "servers",
            [*params, paging.LIMIT],
            microversion,
        )

    def named(name: str) -> Iterator[dict[str, Any]]:
        # Nova's filter is a regular expression.
        return chain(*listed([("name", f"^{re.escape(name)}$")]))

    missing = (sdk.NotFoundException, sdk.BadRequestException)
    if options.server:
        for name in options.server:
            yield [audits.find("server", name, get, missing, named)]
        return
    params = [("all_tenants", "1")]
    if options.project:
        params.append(("project_id", audits.project_id(app, options.project)))
    elif options.host:
        params.append(("host", options.host))
    elif not options.all_projects:
        raise output.UsageError(
            "specify servers, or use --all-projects, --project or --host"
        )
    yield from listed(params)
