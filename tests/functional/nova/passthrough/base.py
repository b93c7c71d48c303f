# SPDX-License-Identifier: Apache-2.0
"""Nova's own services on hosts that have devices to pass through."""

import json
from typing import Any

import fixtures
from nova.tests.fixtures import libvirt as fake_libvirt
from nova.tests.functional.libvirt import base as libvirt_base

from tests.functional.nova import base
from tests.functional.nova.passthrough.fleet import Fleet

# Words that no explanation contains by chance.
PROVEN, OTHER = "host-a", "host-b"

ALIAS, ANOTHER = "gpu", "crypto"
#: A flavor's extra spec for one device.
ONE_GPU = {"pci_passthrough:alias": f"{ALIAS}:1"}
PHYSNET = "physnet4"

#: Flavors may ask for the device, and ports for a virtual function.
ALLOWED = f"passthrough: {{allow: {{aliases: [{ALIAS}], ports: [vf]}}}}\n"

_VENDOR = {"vendor_id": fake_libvirt.PCI_VEND_ID}
_DEVICE = _VENDOR | {"product_id": fake_libvirt.PCI_PROD_ID}
_FUNCTION = _VENDOR | {"product_id": fake_libvirt.VF_PROD_ID}


class FakeHosts(Fleet, base.FakeDriverCase):
    """Hosts without devices, for what needs none: quick."""

    API_GATE = None
    CLOUD = "posture of the fake driver"
    HOSTS = ("host1", "host2")


class _Hosts(base.Gates, libvirt_base.ServersTestBase):
    """Hosts with Nova's libvirt driver on a fake libvirt.

    Each has PCI devices that two aliases name, and virtual functions of a
    network card.  Our API gate is out of the way: the scheduler's decides.

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
        function = _FUNCTION | {"physical_network": PHYSNET}
        aliases = [
            _DEVICE | {"name": name, "device_type": "type-PCI"}
            for name in (ALIAS, ANOTHER)
        ]
        self.flags(
            device_spec=[json.dumps(each) for each in (_DEVICE, function)],
            alias=[json.dumps(each) for each in aliases],
            group="pci",
        )
        super().setUp()
        # Neutron with ports of every kind.
        self.neutron = self.useFixture(
            libvirt_base.LibvirtNeutronFixture(self)
        )

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
                    num_pci=self.PCI, num_pfs=1, num_vfs=2
                ),
            )
        if self.TRACKED:
            self._run_periodics()


class Devices(Fleet, _Hosts):
    """The same, with their posture."""

    def gpu(self) -> str:
        """Make a flavor with one device; return its id."""
        return self.flavor(ONE_GPU)

    def port(self, **more: Any) -> str:
        """Make a port for a virtual function; return its id."""
        port = libvirt_base.LibvirtNeutronFixture.network_4_port_1 | more
        return str(self.neutron.create_port({"port": port})["port"]["id"])

    def domain_xml(self, server: str) -> str:
        """Return the libvirt domain of a server."""
        host = self.instance(server).host
        connection = self.computes[host].driver._host.get_connection()
        return str(connection.lookupByUUIDString(server).XMLDesc(0))
