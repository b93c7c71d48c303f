# SPDX-License-Identifier: Apache-2.0
"""Rows 7, 8 and 22: block devices in the body, volumes, and other URLs."""

from nova.tests.fixtures import PROJECT_ID

from tests.functional.bypass import ways
from tests.functional.nova import base

ROOTS = ("/v2.1", f"/v2.1/{PROJECT_ID}", "/v2", f"/v2/{PROJECT_ID}")


class Rows:
    def device(self, **more):
        """Return a root disk made of a clean image, in format 2."""
        return {
            "boot_index": 0,
            "uuid": self.clean_image,
            "source_type": "image",
            "destination_type": "local",
            **more,
        }

    def setUp(self):
        super().setUp()
        self.clean_image = self.image()

    def test_bypass_07_bus_in_the_block_device_mapping(self):
        devices = [self.device(disk_bus="ide")]
        response = self.boot(self.clean_image, block_device_mapping_v2=devices)
        self.boots(response, 'bus="ide"')

    def test_bypass_07_device_type_in_the_block_device_mapping(self):
        """A CD-ROM on machine type pc has IDE without a word about it."""
        devices = [
            self.device(),
            self.disk(self.volume(), boot_index=-1, device_type="cdrom"),
        ]
        response = self.boot(
            self.image(hw_machine_type="pc"),
            block_device_mapping_v2=devices,
        )
        self.boots(response, 'device="cdrom"', 'bus="ide"')

    def test_bypass_07_bus_of_a_second_disk(self):
        devices = [
            self.device(),
            self.disk(
                self.volume(),
                boot_index=-1,
                disk_bus="fdc",
                device_type="floppy",
            ),
        ]
        response = self.boot(self.clean_image, block_device_mapping_v2=devices)
        self.boots(response, 'device="floppy"')

    def test_bypass_07_format_1(self):
        """The first format knows no bus: the volume's image says it."""
        devices = [
            {
                "device_name": "vda",
                "volume_id": self.volume(hw_disk_bus="ide"),
                "delete_on_termination": False,
            }
        ]
        response = self.boot(None, block_device_mapping=devices)
        self.boots(response, 'bus="ide"')

    def test_bypass_08_volume_image_metadata(self):
        """Any member may write it, in Cinder."""
        volume = self.volume(hw_disk_bus="ide", hw_vif_model="e1000")
        device = self.device(
            uuid=volume, source_type="volume", destination_type="volume"
        )
        response = self.boot(None, block_device_mapping_v2=[device])
        self.boots(response, 'bus="ide"')

    def body(self):
        """Return a body for any microversion, with IDE in it."""
        server = {
            "name": "a server",
            "flavorRef": "1",
            "imageRef": self.clean_image,
            "block_device_mapping_v2": [self.device(disk_bus="ide")],
        }
        return {"server": server}

    def test_bypass_22_both_pipelines_with_and_without_a_project(self):
        for root in ROOTS:
            self.witness.texts.clear()
            path = f"{root}/servers"
            response = self.call("POST", path, self.body(), version=None)
            self.boots(response, 'bus="ide"')

    def test_bypass_22_old_name_of_servers(self):
        """A Nova whose os-volumes_boot is broken (34.0.0) answers 500."""
        for root in ROOTS:
            self.witness.texts.clear()
            path = f"{root}/os-volumes_boot"
            response = self.call("POST", path, self.body(), version=None)
            if self.API_GATE or response.status_int != 500:
                self.boots(response, 'bus="ide"')


TestGuarded, TestFilterAlone = ways.cases(
    Rows, base.LibvirtCase, ways.Guarded, ways.FilterAlone
)
