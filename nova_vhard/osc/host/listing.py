# SPDX-License-Identifier: Apache-2.0
"""openstack vhard host list, and withdraw: what hosts have in Placement."""

import argparse
import datetime
from collections.abc import Iterable

from osc_lib import exceptions

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.common.text import clean
from nova_vhard.osc import output
from nova_vhard.placement.client import (
    Placement,
    PlacementError,
    Provider,
)
from nova_vhard.placement.fleet import HostPosture, fleet
from nova_vhard.placement.upkeep import forget, withdraw

_PASSED = "PASS"
_NOT = "-"

Row = tuple[str, ...]

LIST = ("Host", "Status", "Passed", "Lacks")


def add_age(parser: argparse.ArgumentParser) -> None:
    """Add the age from which a report is stale."""
    parser.add_argument(
        "--max-report-age",
        type=int,
        choices=range(2, 25),
        default=2,
        metavar="<hours>",
        help="2 to 24, as hosts.max_report_age of the policy (default: "
        "%(default)s)",
    )


class ListHosts(output.Lister):
    """List compute nodes and the checks that they have passed

    A host whose report is too old counts for nothing, whatever traits it
    still has: its status is "stale" until it reports again or a sweep takes
    them. With --long, or -c and its name, a check has a column of its own.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the width, and the age from which a report is stale."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "--long", action="store_true", help="one column a check"
        )
        add_age(parser)
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Iterable[str], Iterable[Row]]:
        """Return one row a host."""
        placement = self.app.client_manager.vhard.placement
        now = datetime.datetime.now(datetime.UTC)
        try:
            hosts = fleet(placement, now, parsed_args.max_report_age)
        except PlacementError as error:
            raise exceptions.CommandError(f"Placement: {error}") from error
        if parsed_args.long:
            checks = tuple(CHECKS)
            return (*LIST[:2], *checks), [
                (*row(host)[:2], *cells(host, checks)) for host in hosts
            ]
        asked = [column.lower() for column in parsed_args.columns]
        checks = tuple(name for name in CHECKS if name in asked)
        return (*LIST, *checks), [
            (*row(host), *cells(host, checks)) for host in hosts
        ]


def row(posture: HostPosture) -> Row:
    """Return a host as a row of LIST."""
    passed = f"{len(posture.passed)}/{len(CHECKS)}"
    return (
        clean(posture.name),
        posture.status,
        passed,
        ", ".join(posture.lacks),
    )


def cells(posture: HostPosture, checks: Iterable[str]) -> Row:
    """Return PASS or ``-`` for each of some checks."""
    return tuple(
        _PASSED if name in posture.passed else _NOT for name in checks
    )


class WithdrawHosts(output.Command):
    """Take the traits of hosts that leave from Placement

    Stop the reporter of a host first, or it writes everything again. With
    --all, before nova-vhard is uninstalled, the names of the traits go too;
    take them from the flavors before that.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the hosts, or all of them."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "host",
            nargs="*",
            metavar="<host>",
            help="name of the host's resource provider, which is the "
            "hypervisor's host name",
        )
        parser.add_argument(
            "--all",
            action="store_true",
            help="every host that has any of our traits",
        )
        parser.add_argument(
            "--yes", action="store_true", help="do not ask, with --all"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Withdraw one host after the other; name those that failed."""
        if bool(parsed_args.host) == parsed_args.all:
            raise exceptions.CommandError("name hosts, or say --all")
        placement = self.app.client_manager.vhard.placement
        try:
            failed = (
                self._all(placement, parsed_args.yes)
                if parsed_args.all
                else self._named(placement, parsed_args.host)
            )
        except PlacementError as error:
            raise exceptions.CommandError(f"Placement: {error}") from error
        if failed:
            text = f"not withdrawn: {'; '.join(failed)}"
            raise exceptions.CommandError(text)

    def _named(self, placement: Placement, names: Iterable[str]) -> list[str]:
        failed = []
        for name in dict.fromkeys(names):
            try:
                host = placement.provider(name=name)
            except PlacementError as error:
                failed.append(f"{clean(name)}: {error}")
                continue
            failed += self._withdraw(placement, host)
        return failed

    def _all(self, placement: Placement, sure: bool) -> list[str]:
        known = placement.traits()
        hosts = placement.providers((), known) if known else []
        if not sure and not _confirmed(len(hosts)):
            raise exceptions.CommandError("nothing was withdrawn")
        failed = []
        for host in sorted(hosts, key=lambda item: item.name):
            failed += self._withdraw(placement, host)
        return [*failed, *forget(placement)]

    def _withdraw(self, placement: Placement, host: Provider) -> list[str]:
        """Withdraw a host; return what went wrong, at most one thing."""
        try:
            lost = withdraw(placement, host.uuid)
        except PlacementError as error:
            return [f"{clean(host.name)}: {error}"]
        text = ", ".join(sorted(lost)) or "nothing"
        self.answer(f"{clean(host.name)} lost {text}")
        return []


def _confirmed(hosts: int) -> bool:
    """Ask a person; nobody there to answer is a no."""
    try:
        answer = input(f"Take our traits from all hosts ({hosts})? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")
