# SPDX-License-Identifier: Apache-2.0
"""openstack vhard flavor audit, and sync: passthrough flavors' traits."""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from osc_lib import exceptions

from nova_vhard.catalogue import traits
from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.cli import output, policies
from nova_vhard.placement import PlacementError
from nova_vhard.policy.model import PassthroughRule, Values
from nova_vhard.policy.text import clean
from nova_vhard.request import passthrough

_SPEC = f"trait:{traits.PREFIX}"
_REQUIRED = "required"
_COLUMNS = ("Flavor", "Passthrough", "Lacks", "Has Too Many", "State")


@dataclass(frozen=True)
class Plan:
    """What a flavor's extra specs need.

    :ivar flavor: openstacksdk flavor
    :ivar asks: the passthrough that it asks for
    :ivar lacks: our extra specs that it needs
    :ivar surplus: our extra specs that nothing demands any more
    """

    flavor: Any
    asks: tuple[str, ...]
    lacks: tuple[str, ...]
    surplus: tuple[str, ...]

    def row(self, state: str) -> tuple[str, ...]:
        """Return a row of the table."""
        listed = (self.asks, self.lacks, self.surplus)
        cells = (", ".join(clean(one) for one in part) for part in listed)
        return (clean(self.flavor.name), *cells, state)


def plan(flavor: Any, rule: PassthroughRule) -> Plan | None:
    """Compare a flavor with what the policy demands.

    Only passthrough that the policy allows counts: what it refuses boots
    nowhere, and a custom resource class that it does not name may be a bare
    metal node's, whose hosts report nothing.

    :returns: None for a flavor that has nothing to do with us
    """
    specs = flavor.extra_specs or {}
    asked = [
        one
        for one in passthrough.of_flavor(specs)
        if one.name in rule.allow.get(one.kind, Values())
    ]
    checks = set(passthrough.host_checks(specs) & CHECKS.keys())
    if asked:
        checks.update(rule.require)
    wanted = {f"trait:{traits.of_check(name)}" for name in checks}
    ours = {name for name in specs if name.startswith(_SPEC)}
    if not asked and not wanted and not ours:
        return None
    good = {name for name in ours if specs[name] == _REQUIRED}
    return Plan(
        flavor,
        tuple(dict.fromkeys(f"{one.kind}: {one.name}" for one in asked)),
        tuple(sorted(wanted - good)),
        tuple(sorted(ours - wanted)),
    )


class _FlavorCommand(output.Lister):
    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        what = "policy whose passthrough.require is demanded"
        policies.add_option(parser, what)
        return parser

    def plans(self, path: str) -> Iterator[Plan]:
        """Yield every flavor that has to do with us."""
        rule = policies.load(path).passthrough
        compute = self.app.client_manager.vhard.compute
        for flavor in compute.flavors(
            details=True, get_extra_specs=True, is_public=None
        ):
            found = plan(flavor, rule or PassthroughRule())
            if found is not None:
                yield found


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
            one.row("differs" if one.lacks or one.surplus else "in sync")
            for one in self.plans(parsed_args.policy)
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
        todo = [
            one
            for one in self.plans(parsed_args.policy)
            if one.lacks or one.surplus
        ]
        if not parsed_args.yes:
            return _COLUMNS, [one.row("would change") for one in todo]
        client = self.app.client_manager.vhard
        names = {spec.partition(":")[2] for one in todo for spec in one.lacks}
        try:
            # A required trait without a name would be an error of Placement
            # for every boot.
            client.placement.create_traits(names)
        except PlacementError as error:
            raise exceptions.CommandError(f"Placement: {error}") from error
        return _COLUMNS, [_apply(client.compute, one) for one in todo]


def _apply(compute: Any, one: Plan) -> tuple[str, ...]:
    if one.lacks:
        specs = dict.fromkeys(one.lacks, _REQUIRED)
        compute.create_flavor_extra_specs(one.flavor, specs)
    for name in one.surplus:
        compute.delete_flavor_extra_specs_property(one.flavor, name)
    return one.row("changed")
