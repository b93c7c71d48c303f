# SPDX-License-Identifier: Apache-2.0
"""The scheduler's gate: a Nova scheduler filter."""

import logging
from collections.abc import Iterable
from typing import Any

from nova import exception
from nova.scheduler import filters

from nova_vhard.gates.judge import Judge
from nova_vhard.policy import explain
from nova_vhard.policy.model import Policy
from nova_vhard.request import request_spec

LOG = logging.getLogger(__name__)


class VirtHardeningFilter(filters.BaseHostFilter):  # type: ignore[misc]
    """Refuse a request for virtual devices that the policy does not allow.

    The request is judged once, then each host is answered:

    =================  ======================  ======================
    host               request is allowed      request is refused
    =================  ======================  ======================
    in applies_to      passes                  does not pass
    not in applies_to  passes                  passes
    =================  ======================  ======================

    If no host is left, NoValidHost carries the explanation into the
    server's fault. It must stand first in ``enabled_filters``::

        [filter_scheduler]
        available_filters = nova.scheduler.filters.all_filters
        available_filters = nova_vhard.gates.scheduler.VirtHardeningFilter
        enabled_filters = VirtHardeningFilter,ComputeFilter,...
    """

    # A rebuild with another image is a new wish.
    RUN_ON_REBUILD = True

    # Hosts are narrowed once and stay narrowed: a refusal in the middle of
    # a multi-create would leave the claims of the first instances behind.
    run_filter_once_per_request = True

    def __init__(self) -> None:
        """Read the policy, so that nova-scheduler does not start without.

        :raises PolicyUnavailable: if there never was a good one
        """
        super().__init__()
        self._judge = Judge("scheduler", "nova-scheduler")
        self._judge.policy()

    def filter_all(
        self, filter_obj_list: Iterable[Any], spec_obj: Any
    ) -> list[Any]:
        """Return the hosts on which the request may run.

        :param filter_obj_list: Nova HostStates
        :param spec_obj: Nova RequestSpec
        :raises nova.exception.NoValidHost: if the request is refused and no
            host outside ``applies_to`` is left
        """
        hosts = list(filter_obj_list)
        policy = self._judge.policy()
        verdict = self._judge.judge(
            policy,
            request_spec.read(spec_obj),
            request_spec.subject(spec_obj),
        )
        if not verdict.refusals:
            return hosts
        kept = [host for host in hosts if not applies(policy, host)]
        if not kept:
            raise exception.NoValidHost(reason=explain.short(verdict.refusals))
        return kept


def applies(policy: Policy, host: Any) -> bool:
    """Tell whether a host is one that the policy judges.

    A host whose hypervisor type is not known yet is.

    :param host: Nova HostState
    """
    kind = host.hypervisor_type
    return not kind or kind.lower() in policy.hypervisor_types
