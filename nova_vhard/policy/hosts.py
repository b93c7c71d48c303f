# SPDX-License-Identifier: Apache-2.0
"""Checks that a host must have passed before it may run a guest."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from nova_vhard.catalogue.passthrough import ONE_TIME_USE
from nova_vhard.common.text import clean
from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.policy.model import Mode, Policy
from nova_vhard.policy.subject import REBUILD, Subject
from nova_vhard.policy.verdict import PASSTHROUGH_REQUIRE, Cause, Violation

HOSTS_REQUIRE = "hosts.require"
FLAVOR_REQUIRE = "vhard:require"

# Why no host is left, in words that name neither a host nor a count.
# A user must not learn which hosts there are, or how many have proven what.
# The operator finds the names in the log (posture_filter.py).
NOBODY = (
    "no host of this cloud has passed the checks {checks}; ask the cloud's "
    "operator{what}"
)
NO_CANDIDATE = (
    "no host with room for this server has passed the checks {checks}; try "
    "again later{what}"
)
# The device is for a server that is there, and stays where it is.
ITS_HOST = (
    "the server's host has not passed the checks {checks}; create a new "
    "server with the device{what}"
)
UNKNOWN = (
    "which hosts have passed the checks {checks} is not known at the "
    "moment; try again in a few minutes"
)
THIS_HOST = (
    "this host has not passed the checks {checks}; ask the cloud's "
    "operator{what}"
)

# What needs no such host; every guest needs what hosts.require says.
_WHAT = {
    PASSTHROUGH_REQUIRE: "no passthrough devices",
    FLAVOR_REQUIRE: f"a flavor without {FLAVOR_REQUIRE}",
}


@dataclass(frozen=True)
class HostRequirement:
    """Checks that a host must have passed for one request.

    :ivar rules: ids of the rules that require it
    :ivar checks: names of the checks
    :ivar mode: what happens where a host has not passed them
    """

    rules: tuple[str, ...]
    checks: frozenset[str]
    mode: Mode

    def failed(self, text: str) -> Violation:
        """Return the violation where no host is left.

        :param text: NOBODY, NO_CANDIDATE, ITS_HOST, UNKNOWN or THIS_HOST
        """
        names = ", ".join(clean(check) for check in sorted(self.checks))
        # If hosts.require is among the rules, no choice of the user helps.
        known = all(rule in _WHAT for rule in self.rules)
        parts = [_WHAT[rule] for rule in self.rules if known]
        what = f", or use {' and '.join(parts)}" if known else ""
        text = text.format(checks=names, what=what)
        cause = Cause("", ", ".join(self.rules), names, text)
        return Violation(self.rules, cause, self.mode)


def merge_requirements(
    entries: Iterable[HostRequirement], mode: Mode
) -> HostRequirement | None:
    """Return the merged requirements of one mode; None without any."""
    chosen = [item for item in entries if item.mode is mode]
    if not chosen:
        return None
    rules = tuple(rule for item in chosen for rule in item.rules)
    # One question with all checks: a host must pass each of them, and
    # Placement answers a conjunction with one request.
    checks = frozenset().union(*(item.checks for item in chosen))
    return HostRequirement(rules, checks, mode)


def host_requirements(
    policy: Policy,
    request: HardwareRequest,
    subject: Subject,
    today: datetime.date,
) -> list[HostRequirement]:
    """Return the checks that the hosts for a request must have passed.

    ``moves`` weakens ``hosts.require`` for a move, but never
    ``passthrough.require``.
    """
    # A rebuild stays on its host. To refuse it by the host would leave the
    # server in ERROR (bypass 13) and move nothing.
    if not policy.enabled or subject.operation == REBUILD:
        return []
    required = []
    rule = policy.passthrough
    if rule is not None and rule.require and request.passthrough:
        # Without ``moves``: a device goes to the new host, where another guest
        # may have left its traces. A server must not carry it past the
        # requirement.
        mode = policy.mode_for(rule.mode, subject)
        required.append((PASSTHROUGH_REQUIRE, rule.require, mode))
    hosts = policy.hosts
    if hosts.require:
        # With ``moves``: to refuse an evacuation because no host has proven
        # enough would keep the server down.
        mode = policy.mode_for(hosts.mode, subject, policy.moves_hosts)
        required.append((HOSTS_REQUIRE, hosts.require, mode))
    if request.host_checks:
        # The flavor's own requirement is not a rule with a rollout mode.
        required.append((FLAVOR_REQUIRE, request.host_checks, Mode.ENFORCE))
    # Per check: an exemption for one check must not lift the others.
    lifted = (
        HostRequirement(
            (name,),
            frozenset(
                check
                for check in checks
                if policy.exemption(name, check, subject, today) is None
            ),
            mode,
        )
        for name, checks, mode in required
    )
    # Nothing is required if all checks are lifted, and Placement is not asked.
    return [item for item in lifted if item.checks]


def one_time_use(
    policy: Policy,
    request: HardwareRequest,
    subject: Subject,
    today: datetime.date,
) -> Mode | None:
    """Return the mode for an alias whose device is not one_time_use.

    :returns: None if no device needs to be one_time_use
    """
    rule = policy.passthrough
    if rule is None or ONE_TIME_USE not in rule.of_devices:
        return None
    if not policy.enabled or subject.operation == REBUILD:
        return None
    # Other kinds are never one_time_use, which the verdict has said already
    # (NEVER_ONE_TIME).
    if all(item.kind != "aliases" for item in request.passthrough):
        return None
    if policy.exemption(PASSTHROUGH_REQUIRE, ONE_TIME_USE, subject, today):
        return None
    return policy.mode_for(rule.mode, subject)
