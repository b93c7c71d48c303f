# SPDX-License-Identifier: Apache-2.0
"""Rows 4, 5, 6 and 10: what an image brings in other than by plain words."""

from nova.tests.fixtures import PROJECT_ID
from nova.tests.unit.virt import fakelibosinfo

from tests.functional.bypass import ways
from tests.functional.nova import base, helpers

EXPLICIT = "guest_devices: {disk_bus: {allow: [virtio], explicit: true}}\n"


class Boots:
    def test_bypass_04_block_device_mapping_property(self):
        """Nova keeps it out of the server's own metadata.

        It is JSON in Glance; Nova's image API has it as the list.
        """
        second = [
            {
                "source_type": "blank",
                "destination_type": "local",
                "disk_bus": "ide",
                "guest_format": "ext4",
                "volume_size": 0,
                "boot_index": -1,
            }
        ]
        image = self.image(bdm_v2="true", block_device_mapping=second)
        self._ephemeral_flavor()
        self.boots(self.boot(image, flavorRef="ephemeral"), 'bus="ide"')

    def _ephemeral_flavor(self):
        flavor = {
            "flavor": {
                "id": "ephemeral",
                "name": "ephemeral",
                "ram": 512,
                "vcpus": 1,
                "disk": 1,
                "OS-FLV-EXT-DATA:ephemeral": 1,
            }
        }
        self.admin_api.post_flavor(flavor)

    def test_bypass_06_config_drive_on_machine_type_pc(self):
        """The body asks for a drive, the machine type makes it IDE."""
        image = self.image(hw_machine_type="pc")
        response = self.boot(image, config_drive=True)
        self.boots(response, 'device="cdrom"', 'bus="ide"')

    def test_bypass_10_image_that_is_older_than_the_policy(self):
        """No gate of Glance saw it when it was made."""
        image = self.image(hw_disk_bus="ide", hw_vif_model="e1000")
        self.boots(self.boot(image), 'bus="ide"')


class Rows(Boots):
    def test_bypass_15_forced_host(self):
        """A forced host skips the scheduler's filters, not the API's gate."""
        body = self.wish(
            self.image(**helpers.IDE), availability_zone="nova:compute1"
        )
        response = self.call(
            "POST",
            "/v2.1/servers",
            body,
            roles=helpers.ADMIN,
            project=PROJECT_ID,
        )
        self.boots(response, 'bus="ide"')


(TestGuarded,) = ways.cases(Rows, base.LibvirtCase, ways.Guarded)


(TestFilterAlone,) = ways.cases(Boots, base.LibvirtCase, ways.FilterAlone)


class LibosinfoRow:
    POLICY = EXPLICIT

    def test_bypass_05_os_distro_under_an_explicit_rule(self):
        """Only the host knows libosinfo's choice for os_distro."""
        # Nova's stand-in for libosinfo knows one guest with an IDE disk
        self.stub_out("nova.virt.osinfo.libosinfo", fakelibosinfo)
        self.stub_out("nova.virt.osinfo._OsInfoDatabase._instance", None)
        response = self.boot(self.image(os_distro="fedora19"))
        self.boots(response, 'bus="ide"')


(TestGuardedLibosinfo,) = ways.cases(
    LibosinfoRow, base.LibvirtCase, ways.Guarded
)
