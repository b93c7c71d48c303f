# SPDX-License-Identifier: Apache-2.0
"""openstack vhard host list: what hosts have in Placement."""

import argparse
import datetime
from collections.abc import Iterable
from typing import Any

from nova_vhard.catalogue.checks import ATTESTED, CHECKS, REQUIRABLE
from nova_vhard.common.text import clean, fit
from nova_vhard.osc import output
from nova_vhard.placement.fleet import HostPosture, fleet

Row = tuple[Any, ...]

LIST = ("Host", "Status", "Passed", "Not Passed")
#: Characters of the checks that a host has not passed, in a table.
_WIDTH = 40


class NotPassed(output.Cell):
    """Checks: in a table as many as fit, in JSON and YAML each."""

    def human_readable(self) -> str:
        """Return names, and how many more there are."""
        return fit(self._value, _WIDTH, ", ")


def add_age(parser: argparse.ArgumentParser) -> None:
    """Add the age from which a report is stale."""
    parser.add_argument(
        "--max-report-age",
        type=int,
        choices=range(2, 25),
        default=2,
        metavar="<hours>",
        help="2 to 24, as hosts.max_report_age of the policy (default: "
        "%(default)s).",
    )


class ListHosts(output.Lister):
    """List compute nodes and the checks that they have not passed.

    A table names as many as fit; -f json names all. If the report of a host
    is too old, its traits do not count: its status is "stale" until it reports
    again or a sweep removes them. With --long, or with -c and its name, a
    check has its own column. "attested" is the result
    of a verifier outside of the host: there is a trait and a mark that has
    not expired. Only the schedulers have the key to verify the mark;
    nova-vhard-attestor status shows the attestor's view.
    "nothing demanded" is a host whose verifier demands nothing of it; it is
    not attested.
    """

    nothing = "0 compute nodes in Placement"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the width, and the age from which a report is stale."""
        parser.add_argument(
            "--long", action="store_true", help="One column for each check."
        )
        add_age(parser)

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Iterable[str], Iterable[Row]]:
        """Return one row a host."""
        hosts = fleet(
            self.cloud.placement,
            datetime.datetime.now(datetime.UTC),
            parsed_args.max_report_age,
        )
        asked = [column.lower() for column in parsed_args.columns]
        checks = [
            name for name in REQUIRABLE if parsed_args.long or name in asked
        ]
        shown = LIST[:2] if parsed_args.long else LIST
        return (*shown, *checks), [
            (*row(host)[: len(shown)], *cells(host, checks)) for host in hosts
        ]


def row(posture: HostPosture) -> Row:
    """Return a host as a row of LIST."""
    return (
        clean(posture.name),
        posture.status,
        f"{len(posture.passed)}/{len(CHECKS)}",
        NotPassed(list(posture.lacks)),
    )


def cells(posture: HostPosture, checks: Iterable[str]) -> Row:
    """Return whether each of some checks is passed."""
    attested = output.Passed(posture.attested)
    if posture.undemanded:
        attested = output.Cell(None, "nothing demanded")
    return tuple(
        attested if name == ATTESTED else output.Passed(name in posture.passed)
        for name in checks
    )
