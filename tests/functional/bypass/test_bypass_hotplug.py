# SPDX-License-Identifier: Apache-2.0
"""Rows 17 and 21: what is plugged into a server that runs."""

import copy
import json

from nova.tests.fixtures import libvirt as fakelibvirt

from tests.functional.bypass import ways
from tests.functional.bypass.ways import E1000, IDE, New

FUNCTION = '<interface type="hostdev"'


@ways.rows(
    {
        "test_bypass_17_network_card_for_a_legacy_server": (
            {"hw_vif_model": "e1000"},
            E1000,
        ),
        "test_bypass_17_volume_for_a_legacy_server": (
            {"hw_disk_bus": "ide"},
            IDE,
        ),
        # Nova names the disk sdb, and takes that for a scsi bus.
        "test_bypass_17_sata_becomes_scsi_when_it_is_plugged_in": (
            {"hw_disk_bus": "sata"},
            'bus="scsi"',
        ),
    }
)
class Legacy(ways.Ways):
    """Row 17: a server that is older than the policy gets one more."""

    POLICY = "guest_devices: {disk_bus: {allow: [virtio, sata]}}\n"

    def attempt(self, row):
        properties, device = row
        image = New("image", properties)
        server = self.booted({"imageRef": image}, old=True)
        self.witness.texts.clear()
        card = self.neutron.port_1["id"]
        plugs = device == E1000
        answer = self.plug(server, card) if plugs else self.attach(server)
        self.ends(answer, device)


TestGuarded, TestAsked = ways.asked(Legacy, ways.Asked)


class Ports(ways.Ways):
    """Row 21: a virtual function by way of a port, past the scheduler."""

    CLOUD = "libvirt with virtual functions"

    def setUp(self):
        super().setUp()
        neutron = self.neutron
        neutron._networks[neutron.network_2["id"]] = neutron.network_2
        neutron._subnets[neutron.subnet_2["id"]] = neutron.subnet_2
        port = copy.deepcopy(neutron.sriov_port)
        neutron._ports[port["id"]] = port
        self.port = port["id"]

    def start_compute(self, hostname):
        """Start a host with a card that has virtual functions."""
        devices = [
            {
                "vendor_id": fakelibvirt.PCI_VEND_ID,
                "product_id": product,
                "physical_network": "physnet2",
            }
            for product in (fakelibvirt.PF_PROD_ID, fakelibvirt.VF_PROD_ID)
        ]
        self.flags(
            device_spec=[json.dumps(each) for each in devices], group="pci"
        )
        cards = fakelibvirt.HostPCIDevicesInfo(num_pfs=1, num_vfs=1)
        return super().start_compute(hostname, pci_info=cards)

    def test_bypass_21_port_of_a_virtual_function_hot_plugged(self):
        response = self.plug(self.active(self.image()), self.port)
        self.ends(response, FUNCTION)

    def test_bypass_21_port_of_a_virtual_function_at_boot(self):
        response = self.boot(self.image(), networks=[{"port": self.port}])
        self.boots(response, FUNCTION)


TestGuardedPorts, TestAskedPorts = ways.asked(Ports, ways.Asked)
