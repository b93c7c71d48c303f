# SPDX-License-Identifier: Apache-2.0
"""Selection of the servers that an audit checks, page by page."""

import argparse
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from openstack import exceptions as sdk

from nova_vhard.osc import output, paging
from nova_vhard.osc.by_name import find
from nova_vhard.osc.projects import project_id

_DETAIL = "/servers/detail"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the ways to say which servers."""
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


def pages(
    app: Any, options: argparse.Namespace, microversion: str | None
) -> Iterator[list[dict[str, Any]]]:
    """Yield the servers that the options name, as Nova shows them.

    :param app: openstackclient's application
    :raises UsageError: where they name none
    :raises CommandError: where one is not there
    """
    compute = app.client_manager.vhard.compute
    if options.server:
        for name in options.server:

            def get(name: str) -> dict[str, Any]:
                """Return one server, by its path."""
                path = f"/servers/{quote(name, safe='')}"
                return dict(paging.get(compute, path, microversion)["server"])

            def listed(name: str) -> Iterator[dict[str, Any]]:
                """Yield the servers of the list, page by page."""
                # Nova's filter is a regular expression.
                params = [("name", f"^{re.escape(name)}$"), paging.LIMIT]
                for page in paging.pages(
                    compute, _DETAIL, "servers", params, microversion
                ):
                    yield from page

            missing = (sdk.NotFoundException, sdk.BadRequestException)
            yield [find("server", name, get, missing, listed)]
        return
    params = [("all_tenants", "1"), paging.LIMIT]
    if options.project:
        params.append(("project_id", project_id(app, options.project)))
    elif options.host:
        params.append(("host", options.host))
    elif not options.all_projects:
        raise output.UsageError(
            "name servers, or give --all-projects, --project or --host"
        )
    yield from paging.pages(compute, _DETAIL, "servers", params, microversion)
