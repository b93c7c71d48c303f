# SPDX-License-Identifier: Apache-2.0
"""openstack vhard flavor audit, and sync: passthrough flavors' traits."""

import argparse
import datetime
from collections.abc import Iterable, Iterator
from typing import Any

from osc_lib import exceptions

from nova_vhard.catalogue import traits
from nova_vhard.common.text import clean, line
from nova_vhard.osc import audits, output, paging, policies
from nova_vhard.osc.flavor import scs
from nova_vhard.osc.image.changes import failed
from nova_vhard.placement.client import Placement
from nova_vhard.placement.fleet import fleet
from nova_vhard.policy.model import Mode, PassthroughRule, Policy
from nova_vhard.policy.verdict import PASSTHROUGH_REQUIRE
from nova_vhard.request.flavor_traits import (
    REQUIRED,
    TraitPlan,
    plan_traits,
)

#: Flavors that a refusal names.
_NAMED = 5
_CHANGE, _CHANGED = "would change", "changed"
_UNPROVEN = "would change, but could not boot: no host has passed these checks"
_COLUMNS = ("Flavor", "Passthrough", "Lacks", "Has Too Many", "State")


Row = tuple[Any, ...]
#: A flavor, its row, and what is wrong with it.
_Judged = tuple[Any, Row, Iterable[audits.Finding]]


def _row(plan: TraitPlan, state: str) -> Row:
    """Return a row of the table."""
    listed = (plan.passthrough, plan.lacks, plan.surplus)
    cells = (output.Cell(list(map(clean, names))) for names in listed)
    return (clean(plan.flavor.name), *cells, state)


class _FlavorCommand(audits.AuditCommand):
    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the policy."""
        what = "Policy with the passthrough.require to apply"
        policies.add_option(parser, what)

    def flavors(self) -> Iterable[Any]:
        """Return every flavor, private ones too, with its extra specs."""
        try:
            return list(
                self.cloud.compute.flavors(
                    details=True, get_extra_specs=True, is_public=None
                )
            )
        except paging.ERRORS as error:
            raise exceptions.CommandError(f"Nova: {error}") from error

    def plans(self, policy: Policy) -> Iterator[TraitPlan]:
        """Yield a plan for every flavor with traits of ours, or need of them.

        :param policy: whose ``passthrough`` says which traits are needed
        """
        rule = policy.passthrough or PassthroughRule()
        plans = (plan_traits(flavor, rule) for flavor in self.flavors())
        yield from (plan for plan in plans if plan is not None)


class AuditFlavors(_FlavorCommand):
    """List passthrough flavors and the traits that they lack.

    A flavor with trait:CUSTOM_VHARD_...=required lands only on hosts that
    have passed that check. Placement enforces this, even for forced hosts and
    if the number of candidates is limited. With --fail-on, a flavor that
    lacks a trait violates the policy in the mode of passthrough.require; a
    flavor with too many traits is a warning.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the verdict, and the other claim of a flavor."""
        super().add_arguments(parser)
        audits.add_options(parser)
        parser.add_argument(
            "--scs",
            action="store_true",
            help="List the flavors of the Sovereign Cloud Stack instead, by "
            "their names (SCS-0100) or scs:name-v2 (SCS-0103). A name without "
            "the suffix i claims hosts with mitigations, microcode and "
            "separate threads; the hosts that have not passed hosts-scs are "
            "listed. Hosts without a trait of nova-vhard that the flavor "
            "requires are skipped. Hosts that it cannot use for another "
            "reason are listed, too.",
        )

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Iterable[str], Iterable[Row]]:
        """Return one row a flavor."""
        policy = policies.load(parsed_args.policy)
        if parsed_args.scs:
            tally, columns = audits.Tally("SCS flavors"), scs.COLUMNS
            found = self._scs(policy)
        else:
            tally, columns = audits.Tally("passthrough flavors"), _COLUMNS
            found = self._passthrough(policy)
        rows = []
        for flavor, row, findings in found:
            tally.add(flavor.id, flavor.name, findings)
            rows.append(row)
        self.conclude(parsed_args, tally)
        return columns, rows

    def _passthrough(self, policy: Policy) -> Iterator[_Judged]:
        for plan in self.plans(policy):
            state = "differs" if plan.differs else "in sync"
            yield plan.flavor, _row(plan, state), _found(policy, plan)

    def _scs(self, policy: Policy) -> Iterator[_Judged]:
        hosts = fleet(
            self.cloud.placement,
            datetime.datetime.now(datetime.UTC),
            policy.hosts.max_report_age,
            results=True,
        )
        for flavor in self.flavors():
            claim = scs.claim_of(flavor)
            if claim is not None:
                yield (flavor, *scs.row(claim, hosts))


def _found(policy: Policy, plan: TraitPlan) -> Iterator[audits.Finding]:
    """Yield what is wrong with a flavor: what it lacks, by the rule's mode."""
    fix = "to fix: openstack vhard flavor sync"
    if plan.lacks:
        rule = policy.passthrough or PassthroughRule()
        level = audits.LEVELS[rule.mode or policy.mode]
        lacks = ", ".join(plan.lacks)
        yield audits.Finding(
            level, PASSTHROUGH_REQUIRE, line(f"lacks {lacks}; {fix}")
        )
    if plan.surplus:
        text = line(f"has too many: {', '.join(plan.surplus)}; {fix}")
        yield audits.Finding(audits.Level.WARNING, PASSTHROUGH_REQUIRE, text)


class SyncFlavors(_FlavorCommand):
    """Give passthrough flavors the traits that the policy demands.

    Adds and removes only extra specs trait:CUSTOM_VHARD_... of flavors.
    Without --yes, it only lists the changes. If no host has passed the checks
    that one of the flavors would require, no flavor is changed, unless
    --unproven is specified. Exit status 1 if a flavor could not be changed.
    """

    nothing = "0 flavors differ from what the policy demands"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the option that makes it real."""
        super().add_arguments(parser)
        parser.add_argument(
            "--yes",
            action="store_true",
            help="Apply the changes. Without this "
            "option they are only listed.",
        )
        parser.add_argument(
            "--unproven",
            action="store_true",
            help="Change a flavor even if no host has passed the checks "
            "that it then requires. Its servers cannot boot anywhere, "
            "in any mode of the policy.",
        )

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Iterable[str], Iterable[Row]]:
        """Return one row a flavor that differs."""
        policy = policies.load(parsed_args.policy)
        changes = [plan for plan in self.plans(policy) if plan.differs]
        stranded = _stranded(self.cloud.placement, changes, policy)
        rule = policy.passthrough or PassthroughRule()
        mode = (rule.mode or policy.mode) if policy.enabled else "off"
        if mode != Mode.ENFORCE and any(plan.lacks for plan in changes):
            self.log.warning(
                "The policy is in mode %s, but traits of flavors have no "
                "mode: Placement offers only hosts that have passed the "
                "checks, as in mode enforce.",
                mode,
            )
        if not parsed_args.yes:
            return _COLUMNS, [
                _row(plan, _UNPROVEN if plan in stranded else _CHANGE)
                for plan in changes
            ]
        if stranded and not parsed_args.unproven:
            names = ", ".join(
                clean(plan.flavor.name) for plan in stranded[:_NAMED]
            )
            more = len(stranded) - _NAMED
            rest = f" and {more} more" if more > 0 else ""
            lacking = sorted(
                {spec for plan in stranded for spec in plan.required}
            )
            raise exceptions.CommandError(
                f"No host has passed the checks that {names}{rest} would "
                f"require ({', '.join(lacking)}). Their servers could not "
                "boot on any host, not even in mode audit. Nothing was "
                "changed. See openstack vhard host list for the checks, or "
                "use --unproven to change the flavors anyway."
            )
        specs = {spec for plan in changes for spec in plan.lacks}
        # If a required trait does not exist, Placement rejects the query for
        # hosts at every boot.
        self.cloud.placement.create_traits(
            {spec.partition(":")[2] for spec in specs}
        )
        rows = [_apply(self.cloud.compute, plan) for plan in changes]
        self.status = int(any(row[-1] != _CHANGED for row in rows))
        return _COLUMNS, rows


def _stranded(
    placement: Placement, changes: list[TraitPlan], policy: Policy
) -> list[TraitPlan]:
    """Return the changes that leave a flavor without any proven host.

    :raises CommandError: if Placement does not say which hosts are proven
    """
    adding = [plan for plan in changes if plan.lacks]
    if not adding:
        return []
    hosts = fleet(
        placement,
        datetime.datetime.now(datetime.UTC),
        policy.hosts.max_report_age,
    )
    proven = [
        {traits.of_check(name) for name in host.proven}
        | ({traits.ATTESTED} if host.attested else set())
        for host in hosts
    ]
    return [
        plan
        for plan in adding
        if not any(plan.required <= passed for passed in proven)
    ]


def _apply(compute: Any, plan: TraitPlan) -> Row:
    try:
        if plan.lacks:
            specs = dict.fromkeys(plan.lacks, REQUIRED)
            compute.create_flavor_extra_specs(plan.flavor, specs)
        for name in plan.surplus:
            compute.delete_flavor_extra_specs_property(plan.flavor, name)
    except paging.ERRORS as error:
        # A 403 can be a gate's refusal, so keep the error's own text.
        return _row(plan, failed(error))
    return _row(plan, _CHANGED)
