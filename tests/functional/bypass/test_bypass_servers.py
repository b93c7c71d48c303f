# SPDX-License-Identifier: Apache-2.0
"""Rows 11 to 14: another image for a server that exists.

The bus of its root disk stays in Nova's database from the first boot on, so
that the network card is the witness; a rescue has a new disk.
"""

from pathlib import Path

from tests.functional.bypass import ways
from tests.functional.nova import base, helpers

IDE = 'bus="ide"'
E1000 = '<model type="e1000"/>'
OLD = {"hw_vif_model": "e1000"}


class Rows:
    def setUp(self):
        super().setUp()
        self.first = self.image(**helpers.CLEAN)
        card = [{"port": self.neutron.port_1["id"]}]
        self.server = self.active(self.first, networks=card)

    def change(self, image, **properties):
        """Change an image behind every gate."""
        self.glance.update(None, image, {"properties": properties})

    def rescue(self, image=None):
        # Nova's fixture makes no disks, and so no directory for them.
        home = Path(base.CONF.instances_path) / self.server
        home.mkdir(exist_ok=True)
        body = {"rescue_image_ref": image} if image else None
        return self.act(self.server, {"rescue": body})

    def test_bypass_11_rescue_with_an_old_image(self):
        self.ends(self.rescue(self.image(**helpers.IDE)), IDE)

    def test_bypass_11_stable_rescue_bus(self):
        image = self.image(hw_rescue_bus="ide", hw_rescue_device="disk")
        self.ends(self.rescue(image), IDE)

    def test_bypass_11_stable_rescue_reads_the_servers_image_anew(self):
        """The rescue image is clean: the server's own image is not."""
        self.change(self.first, **OLD)
        image = self.image(hw_rescue_bus="virtio", hw_rescue_device="disk")
        self.ends(self.rescue(image), E1000)

    def test_bypass_11_rescue_without_an_image(self):
        """Nova takes the server's own image, as it is now."""
        self.change(self.first, **helpers.IDE)
        self.ends(self.rescue(), IDE)

    def test_bypass_12_shelved_snapshot_and_unshelve(self):
        # given a server that is shelved, whose snapshot gets a new property
        self.act(self.server, {"shelve": None})
        self.wait(self.server, "SHELVED_OFFLOADED")
        meta = self.instance(self.server).system_metadata
        self.change(meta["shelved_image_id"], **OLD)
        # when it is unshelved
        self.ends(self.act(self.server, {"unshelve": None}), E1000)

    def test_bypass_14_rebuild_with_an_old_image(self):
        image = self.image(**OLD)
        self.ends(
            self.act(self.server, {"rebuild": {"imageRef": image}}), E1000
        )

    def test_bypass_14_rebuild_with_the_same_image(self):
        """Nova reads the image again and calls no scheduler."""
        self.change(self.first, **OLD)
        rebuild = {"rebuild": {"imageRef": self.first}}
        self.ends(self.act(self.server, rebuild), E1000)


(TestGuarded,) = ways.cases(Rows, base.LibvirtCase, ways.Guarded)


class HardReboot:
    """Row 13: a scheduler that refuses a rebuild leaves its properties."""

    def test_bypass_13_rejected_rebuild_then_hard_reboot(self):
        card = [{"port": self.neutron.port_1["id"]}]
        server = self.active(self.image(**helpers.CLEAN), networks=card)
        image = self.image(**OLD)
        response = self.act(server, {"rebuild": {"imageRef": image}})
        if not self.GUARDED:
            assert response.status_int == 202, response.text
            assert "hw_vif_model=e1000" in self.fault(server)
        self.act(server, {"reboot": {"type": "HARD"}}, roles=helpers.ADMIN)
        self.wait(server, "ACTIVE")
        self.ends(response, E1000)


(TestGuardedHardReboot,) = ways.cases(
    HardReboot, base.LibvirtCase, ways.Guarded
)
