# SPDX-License-Identifier: Apache-2.0
"""The filter alone: Nova's own RequestSpecs, hosts that are in Placement."""

from typing import Any

from nova import objects
from nova.objects import service
from nova.scheduler import host_manager

from nova_vhard.catalogue import traits
from nova_vhard.placement.client import Placement
from tests.functional.nova.passthrough import base

BOTH = ("iommu", "interrupt_remapping")
VGPU = {"resources:VGPU": "1"}
ALLOWED = "passthrough: {allow: {mdev: [VGPU]}}\n"


class FilterCase(base.FakeHosts):
    """No compute runs: what cannot be booted here can be asked for."""

    HOSTS = ()

    def provider(self, host: str) -> str:
        """Return the uuid of a host that is in Placement."""
        return str(self._get_provider_uuid_by_name(host))

    def state(self, name: str, kind: str | None = "QEMU") -> Any:
        """Return a host that is in Placement as Nova would have it."""
        host = host_manager.HostState(name, name, "cell")
        host.hypervisor_type = kind
        host.service = {"version": service.SERVICE_VERSION}
        host.uuid = self._post_resource_provider(name)["uuid"]
        return host

    def proven(
        self, name: str, *checks: str, kind: str | None = "QEMU"
    ) -> Any:
        """Return a host that has passed checks in this hour."""
        host = self.state(name, kind)
        wanted = {traits.of_check(check) for check in checks}
        wanted.add(traits.of_hour(self.now()))
        Placement(self.reporter).update(host.uuid, lambda ours: wanted)
        return host

    def spec(self, extra_specs: dict[str, str], **more: Any) -> Any:
        """Return what the scheduler is asked about a flavor."""
        spec = self.spec_of({}, **more)
        spec.flavor.extra_specs = extra_specs
        return spec


def groups(*requesters: str | None) -> list[objects.RequestGroup]:
    """Return request groups of some requesters."""
    return [
        objects.RequestGroup(requester_id=each, resources={"FPGA": 1})
        for each in requesters
    ]
