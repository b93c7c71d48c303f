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
        help="Hours after which a report is stale, 2 to 24; use the value of "
        "hosts.max_report_age in the policy (default: %(default)s).",
    )


class ListHosts(output.Lister):
    """List compute nodes and the checks that they have not passed.

    A table lists as many checks as fit; -f json lists all. If the last report
    of a host is too old, its traits do not count: the host is "stale" until it
    reports again or a sweep removes the traits. With --long, or with -c and
    the name of a check, the check has its own column. "attested" is the result
    of a verifier outside of the host: the host has the trait and a mark that
    has not expired. This command cannot verify the mark, because only the
    schedulers and the attestor have the key; see nova-vhard-attestor status.
    "nothing demanded" means that the verifier does not demand anything of the
    host, so it is not attested.
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
