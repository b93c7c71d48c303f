# SPDX-License-Identifier: Apache-2.0
"""The scheduler's gate: a Nova scheduler filter."""

import datetime
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from nova import exception
from nova.scheduler import filters
from nova.volume import cinder
from oslo_config import cfg

from nova_vhard.catalogue.gates import SCHEDULER
from nova_vhard.common.log import get_logger
from nova_vhard.gates import (
    http,
    nova_images,
    nova_stored,
    one_time_use,
)
from nova_vhard.gates.enforcer import PolicyEnforcer
from nova_vhard.gates.posture_filter import PostureFilter, unjudged_types
from nova_vhard.policy import hosts as host_rules
from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import MOVE, RESIZE
from nova_vhard.policy.verdict import Violation, with_more
from nova_vhard.policy.watch import today
from nova_vhard.request import request_spec
from nova_vhard.request.server_request import ServerRequest

LOG = get_logger(__name__)


def all_filters() -> list[type[filters.BaseHostFilter]]:
    """Return Nova's own filter classes and the hardening filter.

    Nova takes a function for a value of ``available_filters``. This one is
    for deployment tools that can write a single value only::

        [filter_scheduler]
        available_filters = nova_vhard.gates.scheduler.all_filters
    """
    return [*filters.all_filters(), VirtHardeningFilter]


class VirtHardeningFilter(filters.BaseHostFilter):  # type: ignore[misc]
    """Refuse a request for virtual devices that the policy does not allow.

    The request is judged once, then each host is answered:

    =================  ===============  ====================  =============
    host               request allowed  request allowed,      request
                                        checks required       refused
    =================  ===============  ====================  =============
    in applies_to      passes           passes if proven      does not pass
    not in applies_to  passes           passes; if it must    as if allowed
                                        be attested, only if
                                        proven
    =================  ===============  ====================  =============

    If no host is left, NoValidHost carries the explanation into the server's
    fault. The filter must be the first in ``enabled_filters``::

        [filter_scheduler]
        available_filters = nova.scheduler.filters.all_filters
        available_filters = nova_vhard.gates.scheduler.VirtHardeningFilter
        enabled_filters = VirtHardeningFilter,...
    """

    # A rebuild with another image is a new choice.
    RUN_ON_REBUILD = True

    # Hosts are narrowed once and stay narrowed: a refusal in the middle of
    # a multi-create would leave the claims of the first instances behind.
    run_filter_once_per_request = True

    def __init__(self) -> None:
        """Read the policy, so that nova-scheduler does not start without.

        :raises PolicyUnavailable: if there never was a good one
        """
        super().__init__()
        self._enforcer = PolicyEnforcer(SCHEDULER, "nova-scheduler")
        self._enforcer.policy()
        self._hosts = PostureFilter(cfg.CONF.vhard)
        # It connects when it is used. nova-scheduler makes its filters before
        # it forks workers, which must not share a connection.
        self._volumes = cinder.API()

    def filter_all(
        self, filter_obj_list: Iterable[Any], spec_obj: Any
    ) -> list[Any]:
        """Return the hosts on which the request may run.

        :param filter_obj_list: Nova HostStates
        :param spec_obj: Nova RequestSpec
        :raises nova.exception.NoValidHost: if no host is left, with the
            reason; also for an internal error, because any other exception
            leaves the server in its task state and shows only its class name
        """
        try:
            # Nova gives a list; a copy would look at every host once more.
            hosts = filter_obj_list
            if not isinstance(hosts, list):
                hosts = list(hosts)
            # Not ``host_passes``: the request is the same for each of up to a
            # thousand hosts, and is judged once.
            return self._filtered(hosts, spec_obj)
        except exception.NoValidHost:
            raise
        except Exception as error:
            context = getattr(spec_obj, "_context", None)
            text = http.report_fault(LOG, context)
            raise exception.NoValidHost(reason=text) from error

    def _filtered(self, hosts: list[Any], spec_obj: Any) -> list[Any]:
        """Return the hosts that are left by the policy."""
        policy, day = self._enforcer.policy(), today()
        if policy.enabled:
            request, devices = nova_stored.read(spec_obj)
            subject = nova_images.with_image(
                policy,
                request.subject,
                self._volumes,
                spec_obj._context,
                lambda: devices,
            )
            request = replace(request, subject=subject)
        else:
            # Break glass: no lookups, so nothing can fail.
            # The event still says who asked. It needs the RequestSpec alone.
            subject = request_spec.subject(spec_obj)
            request = ServerRequest(HardwareRequest(), subject)
        with self._enforcer.event(subject) as event:
            event.verdict = request.verdict(policy, day)
            refused = bool(event.verdict.refusals)
            kept = hosts
            if refused:
                # Hosts whose devices the policy does not judge.
                outside = unjudged_types(policy, hosts)
                # A policy that judges all types needs no second look at each
                # of 10,000 hosts.
                kept = (
                    [host for host in hosts if host.hypervisor_type in outside]
                    if outside
                    else []
                )
            # Not if all hosts are refused: the posture could change nothing,
            # and a slow Placement would delay the answer.
            if kept or not refused:
                kept, failed = self._proven(
                    policy, request, day, spec_obj, kept
                )
                event.verdict = with_more(event.verdict, failed)
        refusals = event.verdict.refusals
        # After the event is written. Where a host outside applies_to is left,
        # the server runs there and the event says refuse all the same.
        if refusals and not kept:
            from nova_vhard.explain import messages

            raise exception.NoValidHost(
                reason=messages.fault_message(refusals)
            )
        return kept

    def _proven(
        self,
        policy: Policy,
        request: ServerRequest,
        day: datetime.date,
        spec: Any,
        hosts: list[Any],
    ) -> tuple[list[Any], list[Violation]]:
        """Return the hosts that prove what is required of them.

        First of the hosts, then of the devices that each would give.
        """
        subject = request.subject
        if subject.operation == RESIZE:
            # For the hosts, a resize is a move of an existing server.
            subject = replace(subject, operation=MOVE)
        asked = (policy, request.hardware, subject, day)
        requirements = host_rules.host_requirements(*asked)
        hosts, failed = self._hosts.filter_hosts(policy, requirements, hosts)
        mode = host_rules.one_time_use(*asked)
        if mode is None or not hosts:
            return hosts, failed
        # Last: it narrows the candidates in Nova's HostStates, which no later
        # refusal of ours could widen again.
        hosts, more = one_time_use.filter_hosts(policy, mode, hosts, spec)
        return hosts, [*failed, *more]
