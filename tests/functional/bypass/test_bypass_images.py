# SPDX-License-Identifier: Apache-2.0
"""Rows 2, 4 to 8, 10 and 15: what images, volumes and bodies bring in."""

from nova.tests.fixtures import PROJECT_ID
from nova.tests.unit.virt import fakelibosinfo

from tests.functional.bypass import ways
from tests.functional.bypass.ways import (
    IDE,
    PC,
    Q35,
    Attempt,
    New,
    data,
    on_volume,
    with_disks,
)
from tests.functional.nova import helpers, verdicts

CDROM = 'device="cdrom"'
FLOPPY = 'device="floppy"'
#: Nova's image API has the property as the list.
EPHEMERAL = {
    "bdm_v2": "true",
    "block_device_mapping": [
        {
            "source_type": "blank",
            "destination_type": "local",
            "disk_bus": "ide",
            "guest_format": "ext4",
            "volume_size": 0,
            "boot_index": -1,
        }
    ],
}


BOOTS = {
    "test_bypass_02_boot_after_two_patches_at_once": Attempt(
        {"imageRef": New("image", {**ways.IDE_DRIVE, **Q35})}, (IDE,)
    ),
    # Nova keeps this property out of the server's own metadata
    "test_bypass_04_block_device_mapping_property": Attempt(
        {
            "imageRef": New("image", EPHEMERAL),
            "flavorRef": New("flavor", {"ephemeral": 1}),
        },
        (IDE,),
    ),
    # the body asks for a drive, the machine type makes it IDE
    "test_bypass_06_config_drive_on_machine_type_pc": Attempt(
        {"imageRef": New("image", PC), "config_drive": True}, (CDROM, IDE)
    ),
    # Nova takes any text of digits for the number of a boot index
    "test_bypass_06_root_volume_by_two_zeros": Attempt(
        on_volume(PC, "00", config_drive=True), (IDE,)
    ),
    "test_bypass_06_root_volume_by_minus_zero": Attempt(
        on_volume(PC, "-0", config_drive=True), (IDE,)
    ),
    # Nova's root is the device whose whole letter is a
    "test_bypass_06_root_volume_in_format_1_behind_another": Attempt(
        {
            "block_device_mapping": [
                {"device_name": "vdaa", "volume_id": New("volume")},
                {"device_name": "vda", "volume_id": New("volume", PC)},
            ],
            "config_drive": True,
        },
        (IDE,),
    ),
    "test_bypass_07_bus_in_the_block_device_mapping": Attempt(
        with_disks({}, disk_bus="ide"), (IDE,)
    ),
    # a CD-ROM on machine type pc has IDE without a word about it
    "test_bypass_07_device_type_in_the_block_device_mapping": Attempt(
        with_disks(PC, data(device_type="cdrom")), (CDROM, IDE)
    ),
    "test_bypass_07_bus_of_a_second_disk": Attempt(
        with_disks({}, data(disk_bus="fdc", device_type="floppy")), (FLOPPY,)
    ),
    # the first format knows no bus: the volume's image says it
    "test_bypass_07_format_1": Attempt(
        {
            "block_device_mapping": [
                {
                    "device_name": "vda",
                    "volume_id": New("volume", helpers.IDE),
                    "delete_on_termination": False,
                }
            ]
        },
        (IDE,),
    ),
    # any member may write it, in Cinder
    "test_bypass_08_volume_image_metadata": Attempt(
        on_volume({"hw_disk_bus": "ide", "hw_vif_model": "e1000"}), (IDE,)
    ),
    # no gate of Glance saw it when it was made
    "test_bypass_10_image_that_is_older_than_the_policy": Attempt(
        {"imageRef": New("image", {**helpers.IDE, "hw_vif_model": "e1000"})},
        (IDE,),
    ),
}


@ways.rows(BOOTS)
class Boots(ways.Ways):
    """Boots that the scheduler's gate sees as the API's does."""


class Rows(Boots):
    def test_bypass_15_forced_host(self):
        """A forced host skips the scheduler's filters, not the API's gate."""
        image = self.image(**helpers.IDE)
        response = self.call(
            "POST",
            "/v2.1/servers",
            self.wish(image, availability_zone="nova:compute1"),
            roles=helpers.ADMIN,
            project=PROJECT_ID,
        )
        self.boots(response, IDE)


TestGuarded, TestAsked = ways.asked(Rows, ways.Asked)
(TestFilterAlone,) = ways.cases(Boots, verdicts.VerdictCase, ways.FilterAlone)


@ways.rows(
    {
        # only the host knows libosinfo's choice for os_distro
        "test_bypass_05_os_distro_under_an_explicit_rule": Attempt(
            {"imageRef": New("image", {"os_distro": "fedora19"})}, (IDE,)
        )
    }
)
class LibosinfoRow(ways.Ways):
    POLICY = "guest_devices: {disk_bus: {allow: [virtio], explicit: true}}\n"

    def setUp(self):
        super().setUp()
        # Nova's stand-in for libosinfo knows one guest with an IDE disk
        self.stub_out("nova.virt.osinfo.libosinfo", fakelibosinfo)
        self.stub_out("nova.virt.osinfo._OsInfoDatabase._instance", None)


TestGuardedLibosinfo, TestAskedLibosinfo = ways.asked(LibosinfoRow, ways.Asked)
