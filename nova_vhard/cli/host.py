# SPDX-License-Identifier: Apache-2.0
"""openstack vhard host list: the fleet's posture at a glance."""

import argparse
import datetime
from collections.abc import Iterable

from osc_lib import exceptions
from osc_lib.command import command

from nova_vhard.catalogue import traits
from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.placement import Placement, PlacementError
from nova_vhard.policy.text import clean

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
