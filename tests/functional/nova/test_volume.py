# SPDX-License-Identifier: Apache-2.0
"""Boot from volume: the image properties that Cinder keeps."""

from tests.functional.nova import base, helpers


class VolumeCase(base.LibvirtCase):
    """Has bootable volumes."""

    def mapping(self, **metadata):
        """Return the mapping for a new volume."""
        return [self.disk(self.volume(**metadata))]


class TestVolumeImageMetadata(VolumeCase):
    def test_an_ide_volume_is_refused_by_the_api(self):
        # given a volume whose image asked for ide and e1000
        mapping = self.mapping(hw_disk_bus="ide", hw_vif_model="e1000")

        # when a server is booted from it
        response = self.boot(None, block_device_mapping_v2=mapping)

        # then it is refused, both at once, and there is no server
        self.assertEqual(403, response.status_int, response.text)
        text = base.text(response)
        self.assertIn("hw_disk_bus='ide'", text)
        self.assertIn("hw_vif_model='e1000'", text)
        self.assertEqual([], self.servers())

    def test_legacy_spellings_are_refused_too(self):
        mapping = self.mapping(vmware_adaptertype="ide")

        response = self.boot(None, block_device_mapping_v2=mapping)

        self.assertEqual(403, response.status_int, response.text)
        self.assertIn("(allowed: virtio, scsi)", base.text(response))

    def test_a_volume_made_from_an_ide_image_is_refused(self):
        """The image is named in the mapping alone, imageRef is not there."""
        mapping = [
            {
                "boot_index": 0,
                "uuid": self.image(**helpers.IDE),
                "source_type": "image",
                "destination_type": "volume",
                "volume_size": 1,
            }
        ]

        response = self.boot(None, block_device_mapping_v2=mapping)

        self.assertEqual(403, response.status_int, response.text)
        self.assertIn("hw_disk_bus='ide'", base.text(response))

    def test_a_clean_volume_boots_to_active(self):
        mapping = self.mapping(hw_disk_bus="virtio")

        response = self.boot(None, block_device_mapping_v2=mapping)

        self.assertEqual(202, response.status_int, response.text)
        self.wait(response.json["server"]["id"], "ACTIVE")


class TestWithoutTheApiGate(VolumeCase):
    """The scheduler judges requests that the API gate does not see."""

    API_GATE = None

    def test_an_ide_volume_is_refused_by_the_scheduler(self):
        mapping = self.mapping(hw_disk_bus="ide", hw_vif_model="e1000")

        response = self.boot(None, block_device_mapping_v2=mapping)

        # the server is in ERROR with the reason
        self.assertEqual(202, response.status_int, response.text)
        fault = self.fault(response.json["server"]["id"])
        self.assertIn("hw_disk_bus=ide (allowed: virtio, scsi)", fault)
        self.assertIn("hw_vif_model=e1000 (allowed: virtio)", fault)

    def test_legacy_spellings_are_refused_too(self):
        mapping = self.mapping(vmware_adaptertype="ide")

        response = self.boot(None, block_device_mapping_v2=mapping)

        self.assertEqual(202, response.status_int, response.text)
        fault = self.fault(response.json["server"]["id"])
        self.assertIn("(allowed: virtio, scsi)", fault)
