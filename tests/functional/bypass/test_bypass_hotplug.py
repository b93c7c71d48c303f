# SPDX-License-Identifier: Apache-2.0
"""Rows 17 and 21: what is plugged into a server that runs."""

import copy
import json

from nova.tests.fixtures import libvirt as fakelibvirt

from tests.functional.bypass import ways
from tests.functional.bypass.ways import E1000, IDE, New
from tests.functional.nova import base

FUNCTION = '<interface type="hostdev"'


class Legacy(ways.Ways):
    """Row 17: a server that is older than the policy gets one more."""

    def test_bypass_17_network_card_for_a_legacy_server(self):
        image = New("image", {"hw_vif_model": "e1000"})
        server = self.booted({"imageRef": image}, old=True)
        self.witness.texts.clear()
        self.ends(self.plug(server, self.neutron.port_1["id"]), E1000)

    def test_bypass_17_volume_for_a_legacy_server(self):
        image = New("image", {"hw_disk_bus": "ide"})
        server = self.booted({"imageRef": image}, old=True)
        self.witness.texts.clear()
        self.ends(self.attach(server), IDE)

    def test_bypass_17_sata_becomes_scsi_when_it_is_plugged_in(self):
        """Nova names the disk sdb, and takes that for a scsi bus."""
        self.write_policy(
            "guest_devices: {disk_bus: {allow: [virtio, sata]}}\n"
        )
        server = self.active(self.image(hw_disk_bus="sata"))
        self.witness.texts.clear()
        self.ends(self.attach(server), 'bus="scsi"')


(TestGuarded,) = ways.cases(Legacy, base.LibvirtCase, ways.Guarded)


class Ports(ways.Ways):
    """Row 21: a virtual function by way of a port, past the scheduler."""

    CLOUD = "libvirt with virtual functions"

    def setUp(self):
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
        super().setUp()
        neutron = self.neutron
        neutron._networks[neutron.network_2["id"]] = neutron.network_2
        neutron._subnets[neutron.subnet_2["id"]] = neutron.subnet_2
        port = copy.deepcopy(neutron.sriov_port)
        neutron._ports[port["id"]] = port
        self.port = port["id"]

    def start_compute(self, hostname):
        """Start a host with a card that has virtual functions."""
        cards = fakelibvirt.HostPCIDevicesInfo(num_pfs=1, num_vfs=1)
        return super().start_compute(hostname, pci_info=cards)

    def test_bypass_21_port_of_a_virtual_function_hot_plugged(self):
        server = self.active(self.image())
        self.ends(self.plug(server, self.port), FUNCTION)

    def test_bypass_21_port_of_a_virtual_function_at_boot(self):
        response = self.boot(self.image(), networks=[{"port": self.port}])
        self.boots(response, FUNCTION)


(TestGuardedPorts,) = ways.cases(Ports, base.LibvirtCase, ways.Guarded)
