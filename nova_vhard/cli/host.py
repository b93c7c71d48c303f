# SPDX-License-Identifier: Apache-2.0
"""openstack vhard host list, and withdraw: what hosts have in Placement."""

import argparse
import datetime
from collections.abc import Iterable

from osc_lib import exceptions
from osc_lib.command import command

from nova_vhard.catalogue import traits
from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.placement import Placement, PlacementError, Provider
from nova_vhard.policy.text import clean
from nova_vhard.reporter.fleet import forget, withdraw

_COMPUTE = "COMPUTE_NODE"
_PASSED = "PASS"
_NOT = "-"

Row = tuple[str, ...]


class ListHosts(command.Lister):  # type: ignore[misc]
    """List compute nodes and the checks that they have passed

    A host whose report is too old counts for nothing, whatever traits it
    still has: its status is "stale" until it reports again or a sweep takes
    them.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the age from which a report is stale."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "--max-report-age",
            type=int,
            choices=range(2, 25),
            default=2,
            metavar="<hours>",
            help="2 to 24, as hosts.max_report_age of the policy (default: "
            "%(default)s)",
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Iterable[str], Iterable[Row]]:
        """Return one row a host, one column a check."""
        placement = self.app.client_manager.vhard.placement
        now = datetime.datetime.now(datetime.UTC)
        try:
            rows = fleet(placement, now, parsed_args.max_report_age)
        except PlacementError as error:
            raise exceptions.CommandError(f"Placement: {error}") from error
        return ("Host", "Status", *CHECKS), rows


def fleet(
    placement: Placement, now: datetime.datetime, max_age: int
) -> list[Row]:
    """Return one row a compute node, sorted by name.

    The number of requests does not grow with the fleet.

    :param now: aware time
    :param max_age: whole hours; an older report is stale
    """
    known = placement.traits()
    hosts = {one.uuid: one.name for one in placement.providers({_COMPUTE})}
    reported = _with_any(placement, known, traits.fresh(now, max_age))
    ever = _with_any(placement, known, known)
    passed = {
        name: _with_any(placement, known, [traits.of_check(name)])
        for name in CHECKS
    }
    return sorted(
        (
            clean(name),
            _status(uuid, reported, ever),
            *(_PASSED if uuid in passed[check] else _NOT for check in CHECKS),
        )
        for uuid, name in hosts.items()
    )


def _with_any(
    placement: Placement, known: frozenset[str], wanted: Iterable[str]
) -> frozenset[str]:
    """Return the hosts with any of some traits, of those that exist."""
    names = known.intersection(wanted)
    if not names:
        return frozenset()
    return frozenset(one.uuid for one in placement.providers((), names))


def _status(uuid: str, reported: frozenset[str], ever: frozenset[str]) -> str:
    if uuid in reported:
        return "fresh"
    return "stale" if uuid in ever else "silent"


class WithdrawHosts(command.Command):  # type: ignore[misc]
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
        for host in sorted(hosts, key=lambda one: one.name):
            failed += self._withdraw(placement, host)
        return [*failed, *forget(placement)]

    def _withdraw(self, placement: Placement, host: Provider) -> list[str]:
        """Withdraw a host; return what went wrong, at most one thing."""
        try:
            lost = withdraw(placement, host.uuid)
        except PlacementError as error:
            return [f"{clean(host.name)}: {error}"]
        text = ", ".join(sorted(lost)) or "nothing"
        self.app.stdout.write(f"{clean(host.name)} lost {text}\n")
        return []


def _confirmed(hosts: int) -> bool:
    """Ask a person; nobody there to answer is a no."""
    try:
        answer = input(f"Take our traits from all hosts ({hosts})? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")
