# SPDX-License-Identifier: Apache-2.0
"""Filter of hosts and allocation candidates by one_time_use devices.

Nova reserves such a device in Placement after its first use, until it has been
cleaned. This keeps it from the next guest only if Nova requests devices from
Placement ([filter_scheduler] pci_in_placement). Each allocation candidate of a
host then names the provider of each device, and Nova's PciPassthroughFilter
and the claim on the host use exactly these providers
(``PciDeviceStats._filter_pools_based_on_placement_allocation``). So this
module removes the candidates with other devices, and the server can only get
devices that were checked. If no provider is named for a request, the host may
assign any device, including a used one, and nothing is proven.
"""

from collections.abc import Mapping
from typing import Any

from nova.scheduler import filters

from nova_vhard.catalogue.passthrough import ONE_TIME_USE
from nova_vhard.common.text import clean
from nova_vhard.gates import nova_release
from nova_vhard.gates.posture_filter import unjudged_types
from nova_vhard.policy.model import Mode, Policy
from nova_vhard.policy.verdict import PASSTHROUGH_REQUIRE, Cause, Violation

NO_DEVICE = (
    "no host with room for this server has a one_time_use device for "
    "{names}; ask the cloud's operator, or choose a flavor without it"
)
NO_PLACEMENT = (
    "no device for {names} can be shown to be one_time_use: this cloud's "
    "scheduler does not look for devices in Placement; ask the cloud's "
    "operator"
)
FUNCTION = (
    "{names} asks for a virtual function, which cannot be one_time_use; ask "
    "the cloud's operator, or choose a flavor without it"
)

_WHOLE = ("type-PCI", "type-PF")
_FUNCTIONS = ("type-VF", "vdpa")

# Nova's own way to narrow them, as its PciPassthroughFilter does.
_CANDIDATES = filters.CandidateFilterMixin()


def filter_hosts(
    policy: Policy, mode: Mode, hosts: list[Any], spec: Any
) -> tuple[list[Any], list[Violation]]:
    """Return the hosts with suitable devices; without any, a violation.

    In mode enforce, the candidates of each host are narrowed as well. In other
    modes all hosts are returned unchanged, and the violation says what enforce
    would refuse.

    :param hosts: Nova HostStates
    :param spec: Nova RequestSpec that asks for devices by an alias
    """
    requests = spec.pci_requests if "pci_requests" in spec else None
    asked = [
        item
        for item in (requests.requests if requests else ())
        if item.alias_name
    ]
    outside = unjudged_types(policy, hosts)
    left = []
    for host in hosts:
        good = _good(host, asked)
        # Left as it is, candidates too: the policy is not about such hosts.
        if host.hypervisor_type in outside:
            left.append(host)
        elif good:
            left.append(host)
            # Narrow, not just check one: the scheduler claims the first
            # candidate that is left, which could be one with a used device.
            if mode is Mode.ENFORCE:
                _CANDIDATES.filter_candidates(
                    host,
                    lambda item, good=good: any(item is kept for kept in good),
                )
    if left:
        return (left if mode is Mode.ENFORCE else hosts), []
    # Whether Placement was asked for the devices at all.
    traced = any(
        "" not in _device_providers(candidate["mappings"], asked)
        for host in hosts
        for candidate in host.allocation_candidates or ()
    )
    failed = [_failed(mode, asked, traced)]
    return ([] if mode is Mode.ENFORCE else hosts), failed


def _good(host: Any, asked: list[Any]) -> list[Any]:
    """Return the candidates of a host that get one_time_use devices alone."""
    # Each whole device has a pool and a provider of its own; of functions of
    # one device none can be one_time_use.
    good: set[str] = set()
    bad: set[str] = set()
    pools = host.pci_stats.pools if host.pci_stats else ()
    # A provider counts only if all of its pools are good: a whole card and its
    # virtual functions share one provider.
    for pool in pools:
        uuid = pool.get("rp_uuid")
        if uuid:
            tag = str(pool.get(ONE_TIME_USE)).lower()
            is_good = tag == "true" and pool.get("dev_type") in _WHOLE
            (good if is_good else bad).add(uuid)
    providers = good - bad
    if not providers or not asked:
        return []
    # Nova on this host must reserve used devices.
    if nova_release.ignored((ONE_TIME_USE,)) or not (
        nova_release.reads_all_settings(host)
    ):
        return []
    return [
        candidate
        # All devices of the request must come from good providers; one that no
        # group names is "", which is never good.
        for candidate in host.allocation_candidates or ()
        if providers.issuperset(
            _device_providers(candidate["mappings"], asked)
        )
    ]


def _device_providers(
    mappings: Mapping[str, list[str]], asked: list[Any]
) -> set[str]:
    """Return the providers of the devices; "" for a device without one.

    The names of the request groups are Nova's
    (``RequestSpec.generate_request_groups_from_pci_requests``).
    """
    groups = (
        f"{item.request_id}-{index}"
        for item in asked
        for index in range(item.count)
    )
    return {uuid for group in groups for uuid in mappings.get(group) or ("",)}


def _failed(mode: Mode, asked: list[Any], traced: bool) -> Violation:
    functions = [
        item
        for item in asked
        if any(spec.get("dev_type") in _FUNCTIONS for spec in item.spec or ())
    ]
    text = NO_DEVICE if traced else NO_PLACEMENT
    if functions:
        text, asked = FUNCTION, functions
    names = ", ".join(dict.fromkeys(clean(item.alias_name) for item in asked))
    source = "flavor extra spec pci_passthrough:alias"
    stated = text.format(names=names or "this server")
    cause = Cause("", source, ONE_TIME_USE, stated)
    return Violation((PASSTHROUGH_REQUIRE,), cause, mode)
