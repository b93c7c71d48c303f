# SPDX-License-Identifier: Apache-2.0
"""The scheduler's hosts: which of them have proven what is required."""

from collections import Counter
from typing import Any

from keystoneauth1 import loading
from nova.scheduler.client import report
from oslo_config import cfg

from nova_vhard.catalogue.checks import ATTESTED
from nova_vhard.common.log import get_logger
from nova_vhard.gates import nova_release
from nova_vhard.placement import marks
from nova_vhard.placement.posture import (
    Posture,
    PostureUnavailable,
    Question,
)
from nova_vhard.placement.reader import PlacementReader
from nova_vhard.policy.hosts import (
    NO_CANDIDATE,
    NOBODY,
    UNKNOWN,
    HostRequirement,
    merge_requirements,
)
from nova_vhard.policy.model import HostsRule, Mode, Policy, Trust
from nova_vhard.policy.verdict import Violation

LOG = get_logger(__name__)

_NAMED = 20


def unjudged_types(policy: Policy, hosts: list[Any]) -> frozenset[str]:
    """Return the hypervisor types among hosts that the policy leaves alone.

    A host whose type is not known yet is judged.

    :param hosts: Nova HostStates
    """
    # A set comprehension reads each HostState once. With 10,000 hosts, these
    # reads miss the CPU cache more than anything else in a request.
    types = {host.hypervisor_type for host in hosts}
    return frozenset(kind for kind in types if not _is_judged(policy, kind))


def _is_judged(policy: Policy, kind: str | None) -> bool:
    """Return whether the policy applies to hosts of a hypervisor type.

    :param kind: hypervisor type; None if it is not known yet
    """
    # HostState.hypervisor_type is None until the compute node has reported its
    # usage. To leave such a host alone would be a way in for each new host.
    return not kind or kind.lower() in policy.hypervisor_types


def _connect(timeout: float) -> PlacementReader:
    """Return a Placement client whose every request has a time limit.

    Nova's own client shares its session with the rest of the service, and
    that has no limit by default. This one logs in as Nova's does, and its
    limit holds for the requests to Keystone too.

    :param timeout: seconds that one request may wait for the next bytes
    """
    conf, group = cfg.CONF, "placement"
    auth = loading.load_auth_from_conf_options(conf, group)
    session = loading.load_session_from_conf_options(
        conf,
        group,
        timeout=min(conf[group].timeout or timeout, timeout),
    )
    adapter = loading.load_adapter_from_conf_options(
        conf, group, session=session, auth=auth, raise_exc=False
    )
    return PlacementReader(report.SchedulerReportClient(adapter=adapter))


class PostureFilter:
    """Narrows hosts by the posture that Placement knows.

    :param options: group ``vhard`` of the configuration
    :param others: text of a violation where only other hosts have proven it
    """

    def __init__(self, options: Any, others: str = NO_CANDIDATE) -> None:
        """Ask nothing: nova-scheduler forks its workers after this."""
        self._others = others
        timeout = float(options.posture_timeout)
        self._posture = Posture(
            lambda: _connect(timeout),
            options.posture_ttl,
            options.posture_max_age,
            timeout=timeout,
            attestation_max_age=lambda: options.attestation_max_age,
        )
        # Read at each refresh: keys are rotated without a restart.
        self._posture.keys = lambda: marks.read_keys(
            options.attestation_key_file
        )

    def filter_hosts(
        self,
        policy: Policy,
        requirements: list[HostRequirement],
        hosts: list[Any],
    ) -> tuple[list[Any], list[Violation]]:
        """Return the hosts that meet the enforced requirements.

        :param hosts: Nova HostStates, or one nova_servers.Host
        :returns: the hosts, and a violation for each mode whose requirements
            leave no host
        """
        failed: list[Violation] = []
        # Enforce first, and the weaker modes over what is left: they warn if
        # turning them on would leave no host, which is what an operator wants
        # to know.
        requirement = merge_requirements(requirements, Mode.ENFORCE)
        if requirement is not None:
            hosts, text = self._left(policy, requirement, hosts)
            if not hosts:
                return [], [requirement.failed(text)]
        for mode in (Mode.WARN, Mode.AUDIT):
            requirement = merge_requirements(requirements, mode)
            if requirement is not None:
                left, text = self._left(policy, requirement, hosts)
                if not left:
                    failed.append(requirement.failed(text))
        return hosts, failed

    def _left(
        self, policy: Policy, requirement: HostRequirement, hosts: list[Any]
    ) -> tuple[list[Any], str]:
        """Return the hosts that pass, and the text for none."""
        # The hypervisor type is the host's own claim. If hosts must be
        # attested, that claim does not exempt a host.
        attested = _question(requirement, policy.hosts).attested
        judged = (_is_judged(policy, host.hypervisor_type) for host in hosts)
        if hosts and not attested and not any(judged):
            return hosts, ""
        # After the test above: a cloud of Ironic or VMware alone needs no
        # posture, and Placement being away must not stop it.
        proven, text = self._proven(policy, requirement)
        proven = _without_old(requirement, proven, hosts)
        # If two hosts have the same UUID, it proves neither of them: the owner
        # of a host may have copied the UUID of a host in another cell.
        owners = Counter(host.uuid for host in hosts)
        outside = () if attested else unjudged_types(policy, hosts)
        left = [
            host
            for host in hosts
            if (host.uuid in proven and owners[host.uuid] == 1)
            or host.hypervisor_type in outside
        ]
        if not left:
            # For the operator; the user does not learn the names of hosts.
            LOG.info(
                "No host is left that has passed the checks %s. Passed: "
                "%s. Candidates: %s.",
                ", ".join(sorted(requirement.checks)),
                ", ".join(sorted(proven)[:_NAMED]) or "none",
                ", ".join(sorted(host.host for host in hosts)[:_NAMED])
                or "none",
            )
        return left, text

    def _proven(
        self, policy: Policy, requirement: HostRequirement
    ) -> tuple[frozenset[str], str]:
        """Return the hosts that have proven it, and the text for none."""
        ignored = nova_release.ignored(requirement.checks)
        if ignored:
            LOG.error(
                "No host can pass: Nova %s ignores the settings "
                "that %s checks",
                nova_release.release(),
                ", ".join(ignored),
            )
            return frozenset(), NOBODY
        # One question for all hosts: Nova gives up to max_placement_results of
        # them, and one request for each would take seconds.
        question = _question(requirement, policy.hosts)
        try:
            # Nobody waits for what cannot refuse.
            proven = self._posture.hosts(
                question, requirement.mode is Mode.ENFORCE
            )
        except PostureUnavailable as error:
            LOG.error(
                "Cannot determine which checks the hosts have passed: %s",
                error,
            )
            return frozenset(), UNKNOWN
        return proven, self._others if proven else NOBODY


def _without_old(
    requirement: HostRequirement, proven: frozenset[str], hosts: list[Any]
) -> frozenset[str]:
    """Return the proven hosts whose nova-compute supports the settings.

    The reporter of a host also reports settings that an older nova-compute
    ignores.
    """
    if not nova_release.depend_on_release(requirement.checks):
        return proven
    old = [host for host in hosts if not nova_release.reads_all_settings(host)]
    if any(host.uuid in proven for host in old):
        LOG.info(
            "nova-compute is too old for the settings that %s checks: %s",
            ", ".join(sorted(requirement.checks)),
            ", ".join(sorted(host.host for host in old)[:_NAMED]),
        )
    return proven.difference(host.uuid for host in old)


def _question(requirement: HostRequirement, rule: HostsRule) -> Question:
    """Return what Placement is asked for a requirement.

    If ``hosts.trust`` is ``attested``, the reports of a host that is not
    attested do not count.
    """
    required = requirement.checks
    attested = ATTESTED in required or rule.trust is Trust.ATTESTED
    return Question(required - {ATTESTED}, rule.max_report_age, attested)
