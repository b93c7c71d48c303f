# SPDX-License-Identifier: Apache-2.0
"""Nova's own services on hosts that have devices to pass through."""

import json

import fixtures
from nova.tests.fixtures import libvirt as fake_libvirt
from nova.tests.functional.libvirt import base as libvirt_base

from tests.functional.nova import base
from tests.functional.nova.passthrough.fleet import Fleet

# Words that no explanation contains by chance.
PROVEN, OTHER = "host-a", "host-b"

ALIAS = "gpu"
#: A flavor's extra spec for one device.
ONE_GPU = {"pci_passthrough:alias": f"{ALIAS}:1"}
ALLOWED = f"passthrough: {{allow: {{aliases: [{ALIAS}]}}}}\n"

DEVICE = {
    "vendor_id": fake_libvirt.PCI_VEND_ID,
    "product_id": fake_libvirt.PCI_PROD_ID,
}


class FakeHosts(Fleet, base.FakeDriverCase):
    """Hosts without devices, for what needs none: quick."""

    API_GATE = None
    CLOUD = "posture of the fake driver"
    HOSTS = ("host1", "host2")


class _Hosts(base.Gates, libvirt_base.ServersTestBase):
    """Hosts with Nova's libvirt driver on a fake libvirt.

    Each has PCI devices that an alias names.  Our API gate is out of the way:
    the scheduler's decides.

    :cvar PCI: number of devices of each host
    :cvar TRACKED: whether devices are in Placement and the scheduler asks for
        them there
    """

    API_GATE = None
    CLOUD = "devices"
    ADDITIONAL_FILTERS = ["PciPassthroughFilter"]
    HOSTS: tuple[str, ...] = (PROVEN, OTHER)
    PCI = 2
    TRACKED = False
    POLICY = ALLOWED

    def setUp(self) -> None:
        self.share(self._start_services)

    def _start_services(self) -> None:
        alias = DEVICE | {"name": ALIAS, "device_type": "type-PCI"}
        self.flags(
            device_spec=[json.dumps(DEVICE)],
            alias=[json.dumps(alias)],
            group="pci",
        )
        super().setUp()

    def start_hosts(self) -> None:
        """Start the computes."""
        if self.TRACKED:
            self.flags(report_in_placement=True, group="pci")
            self.flags(pci_in_placement=True, group="filter_scheduler")
            # The machine that the tests run on has devices of its own.
            self.useFixture(
                fixtures.MockPatch("nova.pci.utils.is_physical_function")
            )
        for host in self.HOSTS:
            self.start_compute(
                host,
                pci_info=fake_libvirt.HostPCIDevicesInfo(
                    num_pci=self.PCI, num_pfs=0, num_vfs=0
                ),
            )
        if self.TRACKED:
            self._run_periodics()


class Devices(Fleet, _Hosts):
    """The same, with their posture."""

    def gpu(self) -> str:
        """Make a flavor with one device; return its id."""
        return self.flavor(ONE_GPU)
