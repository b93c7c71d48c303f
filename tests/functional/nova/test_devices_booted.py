# SPDX-License-Identifier: Apache-2.0
"""Each operation once on a running guest, checked in its XML.

A refused device reaches no guest, and the server keeps its state. The same
operation succeeds with devices that the server already had.
test_devices_one_by_one has all cells.
"""

import copy
from pathlib import Path

from tests import services
from tests.functional.bypass import ways
from tests.functional.nova import base

IDE = 'bus="ide"'
SATA = 'bus="sata"'
CDROM = 'device="cdrom"'
SOUND = "<sound "
VIRTIO = 'dev="vdb" bus="virtio"'
#: Of backups: Nova's fixture counts every image as one.
MANY = 100
E1000 = '<model type="e1000"/>'


class TestBooted(ways.Guarded, base.LibvirtCase):
    """Hosts with Nova's defaults: machine type pc and a USB tablet.

    The server has an IDE disk and an e1000 network card that are older than
    the policy.
    """

    POLICY = "assume: {machine_type: {x86_64: pc}}\n"
    OLD = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}

    def setUp(self):
        super().setUp()
        self.own = self.image(**self.OLD)
        card = [{"port": self.neutron.port_1["id"]}]
        self.server = self.old(self.own, networks=card)
        # Nova's fixture makes no disks, and so no directory for them.
        home = Path(base.CONF.instances_path) / self.server
        home.mkdir(exist_ok=True)
        self.witness.texts.clear()

    def set(self, image, **properties):
        """Write the properties of an image without passing a gate."""
        self.glance.images[image]["properties"] = properties

    def refused(self, response, *devices):
        self.assertEqual(403, response.status_int, response.text)
        self.settle()
        self.clean(*devices)

    def passes(self, response, status, *devices):
        """Check that the server gets there, and has these devices then."""
        self.assertIn(response.status_int, (200, 202), response.text)
        self.wait(self.server, status)
        self.given(*devices)

    def rescue(self, **properties):
        body = {"rescue": {"rescue_image_ref": self.image(**properties)}}
        return self.act(self.server, body)

    def rebuild(self, image):
        return self.act(self.server, {"rebuild": {"imageRef": image}})

    def post(self, path, body):
        return self.call("POST", f"/v2.1/servers/{self.server}/{path}", body)

    def attach_volume(self):
        disk = {"volumeId": self.volume()}
        return self.post("os-volume_attachments", {"volumeAttachment": disk})

    def test_legacy_rescue(self):
        self.refused(self.rescue(hw_disk_bus="sata"), SATA)
        self.passes(self.rescue(**self.OLD), "RESCUE", IDE, E1000)

    def test_stable_rescue(self):
        """Nova has recorded hw_cdrom_bus=ide, but there never was a CD-ROM."""
        metadata = self.instance(self.server).system_metadata
        self.assertEqual("ide", metadata["image_hw_cdrom_bus"])
        self.refused(self.rescue(hw_rescue_device="cdrom"), CDROM)
        disk = {"hw_rescue_device": "disk", "hw_rescue_bus": "virtio"}
        self.passes(self.rescue(**disk), "RESCUE", IDE, E1000)
        self.clean(CDROM)

    def test_rebuild_with_its_own_image(self):
        self.set(self.own, **self.OLD, hw_sound_model="ac97")
        self.refused(self.rebuild(self.own), SOUND)
        self.set(self.own, **self.OLD)
        self.passes(self.rebuild(self.own), "ACTIVE", IDE, E1000)

    def test_rebuild_with_another_image(self):
        """A refusal by the filter would leave the server in ERROR."""
        self.refused(self.rebuild(self.image(**self.OLD)), IDE, E1000)
        self.passes(self.rebuild(self.image()), "ACTIVE", IDE)
        self.clean(E1000)

    def test_attach_a_volume(self):
        self.refused(self.attach_volume(), IDE)
        self.server = self.active(self.image(hw_disk_bus="virtio"))
        self.passes(self.attach_volume(), "ACTIVE", VIRTIO)

    def test_attach_an_interface(self):
        self.refused(self.post("os-interface", {}), E1000)
        self.server = self.active(self.image(hw_vif_model="virtio"))
        port = self.neutron.port_2
        self.neutron._ports[port["id"]] = copy.deepcopy(port)
        body = {"interfaceAttachment": {"port_id": port["id"]}}
        response = self.post("os-interface", body)
        self.passes(response, "ACTIVE", '<model type="virtio"/>')

    def test_unshelve(self):
        self.act(self.server, {"shelve": None})
        self.wait(self.server, "SHELVED_OFFLOADED")
        metadata = self.instance(self.server).system_metadata
        snapshot = metadata["shelved_image_id"]
        properties = self.glance.images[snapshot]["properties"]
        self.set(snapshot, **{**properties, "hw_sound_model": "ac97"})
        self.refused(self.act(self.server, {"unshelve": None}), SOUND)
        self.set(snapshot, **properties)
        response = self.act(self.server, {"unshelve": None})
        self.passes(response, "ACTIVE", IDE, E1000)

    @services.needs_nova(32, "hw:sound_model")
    def test_resize(self):
        # Nova's fixture makes no disks: there is none to copy.
        self.stub_out(
            "nova.virt.libvirt.driver.LibvirtDriver.migrate_disk_and_power_off",
            lambda *args, **more: "{}",
        )
        self.flags(allow_resize_to_same_host=True)
        flavor = self._create_flavor(extra_spec={"hw:sound_model": "ac97"})
        resize = {"resize": {"flavorRef": flavor}}
        self.refused(self.act(self.server, resize), SOUND)
        resize = {"resize": {"flavorRef": "2"}}
        response = self.act(self.server, resize)
        self.passes(response, "VERIFY_RESIZE", IDE, E1000)

    def test_snapshots(self):
        # Nova's fixture cannot copy the disk of a guest that runs.
        self.act(self.server, {"os-stop": None})
        self.wait(self.server, "SHUTOFF")
        for action in ("createImage", "createBackup"):
            before = set(self.glance.images)
            backup = {"backup_type": "daily", "rotation": MANY}
            body = {
                "name": "x",
                "metadata": {"hw_sound_model": "ac97"},
                **(backup if action == "createBackup" else {}),
            }
            self.refused(self.act(self.server, {action: body}))
            self.assertEqual(before, set(self.glance.images))
            body["metadata"] = {"x": "1"}
            response = self.act(self.server, {action: body})
            self.passes(response, "SHUTOFF")
            (made,) = set(self.glance.images) - before
            made = self.glance.images[made]["properties"]
            self.assertEqual("e1000", made["hw_vif_model"])
