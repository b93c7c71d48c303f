# SPDX-License-Identifier: Apache-2.0
"""Rows 18 and 23: what a flavor brings in."""

import json

from nova.tests.fixtures import libvirt as fakelibvirt

from tests import services
from tests.functional.bypass import ways
from tests.functional.bypass.ways import Attempt, New
from tests.functional.nova import helpers, verdicts

ALIAS = "pci_passthrough:alias"


def asking(device, **specs):
    """Return the boot of a guest with a flavor that asks for a device."""
    server = {
        "imageRef": New("image", ways.Q35),
        "flavorRef": New("flavor", specs),
    }
    return Attempt(server, (device,))


#: Extra specs that Nova has since 32.
SINCE_32 = (
    asking('<sound model="sb16"', **{"hw:sound_model": "sb16"}),
    asking('model="nec-xhci"', **{"hw:usb_model": "nec-xhci"}),
)
DEVICES = (
    asking("<watchdog ", **{"hw:watchdog_action": "reset"}),
    asking('<iommu model="intel"', **{"hw:viommu_model": "intel"}),
)


class Devices(ways.Ways):
    POLICY = """\
guest_devices:
  usb_model: {allow: [none, qemu-xhci]}
  watchdog_action: {allow: [disabled]}
"""

    def setUp(self):
        super().setUp()
        # Nova obeys hw:usb_model only where nothing else needs USB.
        self.flags(pointer_model="ps2mouse")

    def test_bypass_18_devices_of_a_flavor(self):
        for row in DEVICES:
            self.attempt(row)

    @services.needs_nova(32, "hw:sound_model and hw:usb_model")
    def test_bypass_18_sound_and_usb_of_a_flavor(self):
        for row in SINCE_32:
            self.attempt(row)


TestGuarded, TestAsked = ways.asked(Devices, ways.Asked)

GPU = New("flavor", {ALIAS: "gpu:1"})
HOSTDEV = ("<hostdev ",)
DEVICE = {
    "vendor_id": fakelibvirt.PCI_VEND_ID,
    "product_id": fakelibvirt.PCI_PROD_ID,
}


@ways.rows(
    {
        "test_bypass_23_resize_that_brings_in_passthrough": Attempt(
            {"imageRef": New("image")},
            HOSTDEV,
            action={"resize": {"flavorRef": GPU}},
        ),
        # the same flavor at a boot, which the row is measured by
        "test_bypass_23_passthrough_at_boot": Attempt(
            {"imageRef": New("image"), "flavorRef": GPU}, HOSTDEV
        ),
    }
)
class Resize(ways.Ways):
    """Row 23: a resize is a move for the scheduler, and a new wish."""

    CLOUD = "libvirt with a card"

    def setUp(self):
        super().setUp()
        self.let_it_resize()
        alias = json.dumps({**DEVICE, "name": "gpu"})
        self.flags(alias=[alias], group="pci")

    def start_compute(self, hostname):
        """Start a host with one device to give away."""
        self.flags(device_spec=[json.dumps(DEVICE)], group="pci")
        card = fakelibvirt.HostPCIDevicesInfo(num_pci=1, num_pfs=0, num_vfs=0)
        return super().start_compute(hostname, pci_info=card)


TestGuardedResize, TestAskedResize = ways.asked(Resize, ways.Asked)


class TestFlavorWrites(ways.Guarded, verdicts.VerdictCase):
    """A flavor that lacks the traits may not get other passthrough."""

    def test_bypass_23_more_passthrough_on_a_flavor_that_lacks_traits(self):
        flavor = self.flavor(**{ALIAS: "a:1"})
        path = f"/v2.1/flavors/{flavor}/os-extra_specs"
        for method, where, body in (
            ("PUT", f"{path}/{ALIAS}", {ALIAS: "b:2"}),
            ("POST", path, {"extra_specs": {"resources:VGPU": "1"}}),
        ):
            response = self.call(method, where, body, roles=helpers.ADMIN)
            assert response.status_int == 403, response.text
