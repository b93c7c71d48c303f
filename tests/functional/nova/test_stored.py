# SPDX-License-Identifier: Apache-2.0
"""The filter's view of a boot, without the API gate."""

from tests.functional.nova import verdicts

PC, Q35 = {"hw_machine_type": "pc"}, {"hw_machine_type": "q35"}
LOCAL = {
    "boot_index": 0,
    "source_type": "image",
    "destination_type": "local",
}
BLANK = {
    "boot_index": -1,
    "source_type": "blank",
    "destination_type": "volume",
    "volume_size": 1,
}
URL = {"base_image_ref": "http://203.0.113.1/image"}
CDROM, DISK = "guest_devices.cdrom_bus", "guest_devices.disk_bus"

#: Properties of the image, keys of the body, its block devices after the
#: root, and the rules that the boot breaks. The root is the image's.
BOOTS = {
    "nothing more": (Q35, {}, [LOCAL], []),
    "no block device": (PC, {}, [], []),
    "a local root that is a CD-ROM": (
        PC,
        {},
        [{**LOCAL, "device_type": "cdrom"}],
        [CDROM],
    ),
    "the same on SATA": (Q35, {}, [{**LOCAL, "device_type": "cdrom"}], []),
    "a local root on IDE": (Q35, {}, [{**LOCAL, "disk_bus": "ide"}], [DISK]),
    "a second disk on IDE": (
        Q35,
        {},
        [LOCAL, {**BLANK, "disk_bus": "ide"}],
        [DISK],
    ),
    "a floppy": (
        Q35,
        {},
        [LOCAL, {**BLANK, "device_type": "floppy"}],
        ["guest_devices.device_type", "guest_devices.floppy_bus"],
    ),
    "a CD-ROM": (PC, {}, [LOCAL, {**BLANK, "device_type": "cdrom"}], [CDROM]),
    "a config drive": (PC, {"config_drive": True}, [], [CDROM]),
    "one on SATA": (Q35, {"config_drive": True}, [], []),
    "none": (PC, {"config_drive": False}, [], []),
}


class TestBoots(verdicts.VerdictCase):
    API_GATE = None

    def test_each(self):
        for name, (properties, keys, disks, rules) in BOOTS.items():
            with self.subTest(name):
                image = self.image(**properties)
                first = [{**each, "uuid": image} for each in disks[:1]]
                if disks:
                    keys = {
                        **keys,
                        "block_device_mapping_v2": [*first, *disks[1:]],
                    }
                response = self.boot(image, **keys)
                events = self.decisions()
                reason = self.filtered(response)
                (event,) = events
                # Machine type pc is a warning on its own.
                broken = set(event["rules"]) - {"guest_devices.machine_type"}
                self.assertEqual(set(rules), broken)
                self.assertEqual(bool(rules), event["outcome"] == "refuse")
                self.assertEqual(bool(rules), bool(reason))

    def test_what_a_rescue_of_it_would_boot(self):
        """A RequestSpec does not contain base_image_ref."""
        response = self.boot(self.image(**Q35, **URL))
        reason = self.filtered(response)
        self.assertTrue(reason.startswith("image property base_image_ref="))
