# SPDX-License-Identifier: Apache-2.0
"""Devices that stay must not keep anybody from what is sound.

What row 31 of the table of ways round refuses, told from what looks like it.
"""

from pathlib import Path

from tests.functional.bypass import ways
from tests.functional.nova import base, helpers

CONTROLLER = {"hw_scsi_model": "virtio-scsi"}
SCSI = {"hw_disk_bus": "scsi", **CONTROLLER}
STABLE = {"hw_rescue_bus": "virtio", "hw_rescue_device": "disk"}


class Kept(base.LibvirtCase):
    """A server that keeps its disk on a SCSI bus."""

    def setUp(self):
        self.witness = self.useFixture(ways.Witness())
        super().setUp()
        self.server = self.active(self.image(**SCSI))

    def rebuild(self, server, **properties):
        image = self.image(**properties)
        return self.act(server, {"rebuild": {"imageRef": image}})

    def rescue(self, server, **properties):
        home = Path(base.CONF.instances_path) / server
        home.mkdir(exist_ok=True)
        image = self.image(**properties)
        return self.act(server, {"rescue": {"rescue_image_ref": image}})

    def ends(self, response, server, status):
        assert response.status_int in (200, 202), response.text
        self.wait(server, status)


class TestScsi(Kept):
    def test_a_rebuild_with_a_controller(self):
        """The new image says nothing of the bus that the disk is on."""
        response = self.rebuild(self.server, **CONTROLLER)
        self.ends(response, self.server, "ACTIVE")
        self.assertFalse(any(map(ways.lsi_controller, self.witness.texts)))

    def test_a_rescue_that_keeps_no_bus(self):
        """In a legacy rescue both disks are on the rescue image's bus."""
        response = self.rescue(self.server, hw_disk_bus="virtio")
        self.ends(response, self.server, "RESCUE")
        self.assertNotIn("scsi", self.domain_xml(self.server))

    def test_a_stable_rescue_with_the_servers_controller(self):
        response = self.rescue(self.server, **STABLE)
        self.ends(response, self.server, "RESCUE")

    def test_a_stable_rescue_from_scsi_with_the_servers_controller(self):
        """The rescue image needs to name none: Nova would not read it."""
        stable = {**STABLE, "hw_rescue_bus": "scsi"}
        response = self.rescue(self.server, **stable)
        self.ends(response, self.server, "RESCUE")


class TestOld(Kept):
    """A server older than the policy, with libvirt's default controller."""

    def setUp(self):
        super().setUp()
        self.write_policy("enabled: false\n")
        self.image_of_old = self.image(hw_disk_bus="scsi")
        self.old = self.active(self.image_of_old)
        self.write_policy("")

    def test_a_rebuild_with_its_own_image_is_a_moves(self):
        body = {"rebuild": {"imageRef": self.image_of_old}}
        self.ends(self.act(self.old, body), self.old, "ACTIVE")

    def test_a_rebuild_with_a_controller_mends_it(self):
        self.ends(self.rebuild(self.old, **CONTROLLER), self.old, "ACTIVE")

    def test_a_stable_rescue_is_a_moves(self):
        """The rescue brings in nothing that the server did not have."""
        response = self.rescue(self.old, **STABLE, **helpers.CLEAN)
        self.ends(response, self.old, "RESCUE")


class TestSnapshot(base.LibvirtCase):
    """A snapshot of a server on a volume has an empty base_image_ref."""

    def test_what_nova_writes_itself_is_no_reference_at_fault(self):
        root = self.disk(self.volume())
        server = self.active(None, block_device_mapping_v2=[root])
        before = set(self.glance.images)
        action = {"createImage": {"name": "x", "metadata": {"x": "1"}}}
        response = self.act(server, action)
        self.assertEqual(202, response.status_int, response.text)
        (made,) = set(self.glance.images) - before
        properties = self.glance.images[made]["properties"]
        self.assertEqual("", properties["base_image_ref"])
