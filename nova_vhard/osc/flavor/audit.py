# SPDX-License-Identifier: Apache-2.0
"""openstack vhard flavor audit, and sync: passthrough flavors' traits."""

import argparse
from collections.abc import Iterable, Iterator
from typing import Any

from osc_lib import exceptions

from nova_vhard.common.text import clean
from nova_vhard.osc import output, policies
from nova_vhard.placement.client import PlacementError
from nova_vhard.policy.model import PassthroughRule
from nova_vhard.request.flavor_traits import (
    REQUIRED,
    TraitPlan,
    plan_traits,
)

_COLUMNS = ("Flavor", "Passthrough", "Lacks", "Has Too Many", "State")


def _row(plan: TraitPlan, state: str) -> tuple[str, ...]:
    """Return a row of the table."""
    listed = (plan.passthrough, plan.lacks, plan.surplus)
    cells = (", ".join(map(clean, names)) for names in listed)
    return (clean(plan.flavor.name), *cells, state)


class _FlavorCommand(output.Lister):
    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        what = "policy whose passthrough.require is demanded"
        policies.add_option(parser, what)
        return parser

    def plans(self, path: str) -> Iterator[TraitPlan]:
        """Yield a plan for every flavor with traits of ours, or need of them.

        :param path: of the policy, or its name
        """
        rule = policies.load(path).passthrough
        compute = self.app.client_manager.vhard.compute
        for flavor in compute.flavors(
            details=True, get_extra_specs=True, is_public=None
        ):
            plan = plan_traits(flavor, rule or PassthroughRule())
            if plan is not None:
                yield plan


class AuditFlavors(_FlavorCommand):
    """List passthrough flavors and the traits that they lack

    A flavor with trait:CUSTOM_VHARD_...=required lands only on hosts that
    have proven it, by Placement's own means: forced hosts and candidate
    limits included.
    """

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Iterable[str], Iterable[tuple[str, ...]]]:
        """Return one row a flavor."""
        return _COLUMNS, [
            _row(plan, "differs" if plan.differs else "in sync")
            for plan in self.plans(parsed_args.policy)
        ]


class SyncFlavors(_FlavorCommand):
    """Give passthrough flavors the traits that the policy demands

    Adds and removes extra specs trait:CUSTOM_VHARD_... and no others.
    Without --yes it only says what it would do.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the option that makes it real."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--yes", action="store_true", help="do it, not only say it"
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Iterable[str], Iterable[tuple[str, ...]]]:
        """Return one row a flavor that differs."""
        plans = self.plans(parsed_args.policy)
        changes = [plan for plan in plans if plan.differs]
        if not parsed_args.yes:
            return _COLUMNS, [_row(plan, "would change") for plan in changes]
        client = self.app.client_manager.vhard
        specs = {spec for plan in changes for spec in plan.lacks}
        try:
            # A required trait without a name would be an error of Placement
            # for every boot.
            client.placement.create_traits(
                {spec.partition(":")[2] for spec in specs}
            )
        except PlacementError as error:
            raise exceptions.CommandError(f"Placement: {error}") from error
        return _COLUMNS, [_apply(client.compute, plan) for plan in changes]


def _apply(compute: Any, plan: TraitPlan) -> tuple[str, ...]:
    if plan.lacks:
        specs = dict.fromkeys(plan.lacks, REQUIRED)
        compute.create_flavor_extra_specs(plan.flavor, specs)
    for name in plan.surplus:
        compute.delete_flavor_extra_specs_property(plan.flavor, name)
    return _row(plan, "changed")
