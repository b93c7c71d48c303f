# SPDX-License-Identifier: Apache-2.0
"""The cloud: Placement answers, flavors are in sync, hosts report."""

import contextlib
import datetime
import email.utils
from collections.abc import Iterator, Mapping

from oslo_config import cfg
from oslo_upgradecheck.upgradecheck import Result

from nova_vhard.catalogue.traits import ATTESTED
from nova_vhard.common.text import clean
from nova_vhard.placement.client import VERSION, PlacementError
from nova_vhard.placement.connect import connect
from nova_vhard.placement.fleet import FRESH, fleet
from nova_vhard.placement.names import FEW_DAYS, days_ahead
from nova_vhard.policy.model import PassthroughRule
from nova_vhard.request.flavor_traits import TraitPlan, plan_traits
from nova_vhard.status.answers import (
    NotHere,
    fail,
    fine,
    named,
    together,
    warn,
)
from nova_vhard.status.node import Node

#: HTTP status of Placement's answer to the remediation.
_FIXES: Mapping[int | None, str] = {
    401: "correct the login in {}",
    403: "give the user of {} the role service",
    406: f"upgrade Placement: microversion {VERSION} is needed",
}
#: Clocks of machines that NTP keeps are much nearer.
_APART = datetime.timedelta(minutes=5)


def placement(node: Node) -> Result:
    """Try each login to Placement that this node has.

    Only reads are tried; Placement's default policy asks the same roles for
    reading and for writing traits.
    """
    logins: dict[str, cfg.ConfigOpts] = {}
    result: list[Result] = []
    with contextlib.suppress(NotHere):
        logins["reporter.conf"] = node.reporter
    try:
        logins["nova.conf"] = node.nova
    except NotHere as error:
        if not logins:
            raise
        result.append(
            warn(f"{error} does not exist on this node: no login to test.")
        )
    for name, conf in logins.items():
        result += _try(name, conf)
    return together(
        result,
        f"Placement answers ({VERSION}), by the login of "
        f"{' and '.join(logins)}.",
    )


def _try(name: str, conf: cfg.ConfigOpts) -> Iterator[Result]:
    """Yield what is wrong with a login."""
    where = f"group [placement] of {name}"
    try:
        if not (conf.placement.auth_type or conf.placement.auth_section):
            yield fail(
                f"There is no auth_type in {where}: configure the login."
            )
            return
        answer = connect(conf).request("get", f"/traits?name=in:{ATTESTED}")
        now = datetime.datetime.now(datetime.UTC)
        stamp = answer.headers.get("Date", email.utils.format_datetime(now))
        apart = abs(now - email.utils.parsedate_to_datetime(stamp))
        if apart > _APART:
            yield fail(
                "The clocks of this node and of Placement differ by "
                f"{apart}, so reports look too old or too new. Fix: correct "
                "the wrong clock (chronyc makestep on that machine)."
            )
    except PlacementError as error:
        fix = _FIXES.get(
            error.status, "check that Placement runs, and correct {}"
        )
        yield fail(
            f"Placement, by the login of {name}: {clean(error, 200)}. Fix: "
            f"{fix.format(where)}."
        )


def flavors(node: Node) -> Result:
    """Judge the traits of passthrough flavors, as flavor sync would."""
    rule = node.policy.passthrough or PassthroughRule()
    try:
        plans = [
            plan
            for flavor in node.compute.flavors(
                details=True, get_extra_specs=True, is_public=None
            )
            if (plan := plan_traits(flavor, rule)) is not None
        ]
        unseen = list(_unseen(node, "flavors that are not public"))
    except Exception as error:  # noqa: BLE001 - keystoneauth's and the SDK's
        return _no_answer("flavors", error)
    return together(
        [*_flavors(plans), *unseen],
        f"{len(plans)} flavors require host checks; all are in sync.",
    )


def _flavors(plans: list[TraitPlan]) -> Iterator[Result]:
    fix = "Run openstack vhard flavor sync, then the same with --yes."
    lacking = [plan.flavor.name for plan in plans if plan.lacks]
    surplus = [plan.flavor.name for plan in plans if plan.surplus]
    if lacking:
        yield fail(
            f"{len(lacking)} flavors lack traits that the policy demands "
            f"({named(lacking)}): a forced host may not have passed the "
            f"checks, and nova-api may refuse their servers. {fix}"
        )
    if surplus:
        yield warn(
            f"{len(surplus)} flavors require traits that the policy no "
            f"longer requires ({named(surplus)}): fewer hosts match them. "
            f"{fix}"
        )


def _unseen(node: Node, what: str) -> Iterator[Result]:
    """Yield a warning if the login may not see everything."""
    sees = node.sees_all()
    if not sees:
        why = (
            "has no role admin" if sees is False else "does not show its roles"
        )
        yield warn(
            f"The login {why}, so {what} may be missing here. Specify a "
            "cloud of clouds.yaml with --os-cloud, of a user with role "
            "admin."
        )


def _no_answer(what: str, error: Exception) -> Result:
    return warn(
        f"It is not known which {what} there are, because the Nova API did "
        f"not answer ({clean(f'{type(error).__name__}: {error}', 200)}). Name "
        "a cloud of clouds.yaml with --os-cloud, of a user with role admin."
    )


def reporters(node: Node) -> Result:
    """Judge whether every host that is judged reports.

    =======  ==========================================================
    SUCCESS  every one has a fresh report, or the policy needs none
    WARNING  some have none: they get no guest that needs proof; or there are
             names for the reports of fewer than seven days
    FAILURE  none has one: no guest that needs proof can run at all
    =======  ==========================================================
    """
    policy = node.policy
    rule = policy.passthrough or PassthroughRule()
    offered = any(item.listed for item in rule.allow.values())
    if not policy.hosts.require and not (offered and rule.require):
        return fine("The policy does not require host checks.")
    now = datetime.datetime.now(datetime.UTC)
    try:
        result = fleet(node.placement, now, policy.hosts.max_report_age)
        days = days_ahead(node.placement, now)
    except PlacementError as error:
        return warn(
            f"It is not known which hosts report, because Placement did not "
            f"answer ({clean(error, 200)}). See check Placement."
        )
    status = {item.name: item.status for item in result}
    judged, doubt = _judged(node, set(status))
    if days < FEW_DAYS:
        doubt.append(
            warn(
                f"Placement has trait names for the reports of only {days} "
                "more days. After that, hosts that may not create traits "
                "cannot report. Enable nova-vhard-sweep.timer on one "
                "machine, and check its journal."
            )
        )
    status = {name: status.get(name, "silent") for name in judged}
    silent = [name for name, item in status.items() if item != FRESH]
    if silent:
        answer = fail if len(silent) == len(status) else warn
        doubt.insert(
            0,
            answer(
                f"{len(silent)} of {len(status)} hosts have not reported "
                f"within {policy.hosts.max_report_age} hours "
                f"({named(silent)}): guests that require checks are not "
                "placed there. Start nova-vhard-reporter on them, and "
                "check its journal. openstack vhard host list shows all of "
                "them."
            ),
        )
    return together(doubt, f"All {len(status)} hosts have a fresh report.")


def _judged(node: Node, names: set[str]) -> tuple[set[str], list[Result]]:
    """Return the hosts that the policy judges, and what is in doubt."""
    try:
        result = list(node.compute.hypervisors(details=True))
        doubt = list(_unseen(node, "hypervisors"))
    except Exception as error:  # noqa: BLE001 - keystoneauth's and the SDK's
        return names, [_no_answer("hypervisors", error)]
    types = node.policy.hypervisor_types
    judged = {
        clean(item.name)
        for item in result
        if str(item.hypervisor_type).lower() in types
    }
    return judged, doubt
