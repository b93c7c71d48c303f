# SPDX-License-Identifier: Apache-2.0
"""Rows 18 and 23: what a flavor brings in."""

import json

from nova.tests.fixtures import libvirt as fakelibvirt

from tests import services
from tests.functional.bypass import ways
from tests.functional.nova import base, helpers

#: Extra specs that Nova has since 32.
SINCE_32 = (
    ("hw:sound_model", "sb16", '<sound model="sb16"'),
    ("hw:usb_model", "nec-xhci", 'model="nec-xhci"'),
)
DEVICES = (
    ("hw:watchdog_action", "reset", "<watchdog "),
    ("hw:viommu_model", "intel", '<iommu model="intel"'),
)
POLICY = """\
guest_devices:
  usb_model: {allow: [none, qemu-xhci]}
  watchdog_action: {allow: [disabled]}
"""
ALIAS = "pci_passthrough:alias"


class Flavors:
    def flavor(self, name, **specs):
        """Make a flavor behind the gates, as a cloud has it already."""
        flavor = {
            "id": name,
            "name": name,
            "ram": 512,
            "vcpus": 1,
            "disk": 1,
        }
        self.admin_api.post_flavor({"flavor": flavor})
        path = f"/v2.1/flavors/{name}/os-extra_specs"
        response = self.call(
            "POST",
            path,
            {"extra_specs": specs},
            roles=helpers.ADMIN,
            app=self.without_gate(),
        )
        assert response.status_int == 200, response.text
        return name


class Devices(Flavors):
    POLICY = POLICY

    def setUp(self):
        super().setUp()
        # Nova obeys hw:usb_model only where nothing else needs USB.
        self.flags(pointer_model="ps2mouse")

    def test_bypass_18_devices_of_a_flavor(self):
        self.each(DEVICES)

    @services.needs_nova(32, "hw:sound_model and hw:usb_model")
    def test_bypass_18_sound_and_usb_of_a_flavor(self):
        self.each(SINCE_32)

    def each(self, devices):
        image = self.image(hw_machine_type="q35")
        for number, (spec, value, device) in enumerate(devices):
            self.witness.texts.clear()
            flavor = self.flavor(f"flavor{number}", **{spec: value})
            response = self.boot(image, flavorRef=flavor)
            self.boots(response, device)


(TestGuarded,) = ways.cases(Devices, base.LibvirtCase, ways.Guarded)


class Resize(Flavors):
    """Row 23: a resize is a move for the scheduler, and a new wish."""

    CLOUD = "libvirt with a card"

    def setUp(self):
        extra = {
            "vendor_id": fakelibvirt.PCI_VEND_ID,
            "product_id": fakelibvirt.PCI_PROD_ID,
        }
        self.flags(
            device_spec=[json.dumps(extra)],
            alias=[json.dumps({**extra, "name": "gpu"})],
            group="pci",
        )
        super().setUp()
        # Nova's fixture makes no disks: there is none to copy.
        self.stub_out(
            "nova.virt.libvirt.driver.LibvirtDriver"
            ".migrate_disk_and_power_off",
            lambda *args, **more: "{}",
        )
        self.flags(allow_resize_to_same_host=True)
        self.gpu = self.flavor("gpu", **{ALIAS: "gpu:1"})

    def _filters(self):
        """Have Nova's own filter of PCI devices at work, too."""
        filters = super()._filters()
        stock = base.CONF.filter_scheduler.enabled_filters
        names = filters.get("enabled_filters", list(stock))
        filters["enabled_filters"] = [*names, "PciPassthroughFilter"]
        return filters

    def start_compute(self, hostname):
        """Start a host with one device to give away."""
        card = fakelibvirt.HostPCIDevicesInfo(num_pci=1, num_pfs=0, num_vfs=0)
        return super().start_compute(hostname, pci_info=card)

    def test_bypass_23_resize_that_brings_in_passthrough(self):
        server = self.active(self.image())
        response = self.act(server, {"resize": {"flavorRef": self.gpu}})
        self.ends(response, "<hostdev ")

    def test_bypass_23_passthrough_at_boot(self):
        """The same flavor at a boot, which the row is measured by."""
        response = self.boot(self.image(), flavorRef=self.gpu)
        self.boots(response, "<hostdev ")


TestGuardedResize, TestFilterAloneResize = ways.cases(
    Resize, base.LibvirtCase, ways.Guarded, ways.FilterAlone
)
