# SPDX-License-Identifier: Apache-2.0
"""Devices that stay must not keep anybody from what is sound.

What row 31 of the table of ways round refuses, told from what looks like it.
"""

from nova.compute import power_state, vm_states

from tests.functional.nova import helpers, typed, verdicts

CONTROLLER = {"hw_scsi_model": "virtio-scsi"}
BUS = {"hw_disk_bus": "scsi"}
SCSI = {**BUS, **CONTROLLER}
STABLE = {"hw_rescue_bus": "virtio", "hw_rescue_device": "disk"}
#: Properties of a server, the operation, and those of its image, if it is
#: another one.
CASES = {
    # The new image says nothing of the bus that the disk is on.
    "rebuild with a controller": (SCSI, "rebuild", CONTROLLER),
    # In a legacy rescue both disks are on the rescue image's bus.
    "legacy rescue": (SCSI, "rescue", {"hw_disk_bus": "virtio"}),
    "stable rescue": (SCSI, "rescue", STABLE),
    # The rescue image needs to name none: Nova would not read it.
    "stable rescue from SCSI": (
        SCSI,
        "rescue",
        {**STABLE, "hw_rescue_bus": "scsi"},
    ),
    # A server older than the policy, with libvirt's default controller
    "old: rebuild": (BUS, "rebuild", None),
    "old: rebuild with a controller": (BUS, "rebuild", CONTROLLER),
    "old: stable rescue": (BUS, "rescue", {**STABLE, **helpers.CLEAN}),
}


class TestKept(verdicts.VerdictCase):
    def test_each(self):
        keys = {"rebuild": "imageRef", "rescue": "rescue_image_ref"}
        for name, (had, action, properties) in CASES.items():
            with self.subTest(name):
                image = self.image(**had)
                root = {
                    "source_type": "image",
                    "destination_type": "local",
                    "image_id": image,
                    "boot_index": 0,
                    "disk_bus": "scsi",
                    "device_name": "/dev/sda",
                }
                server = self.server(image, root, **had)
                if properties is not None:
                    image = self.image(**properties)
                body = {action: {keys[action]: image}}
                response = self.act(server, body)
                self.assertIn(response.status_int, (200, 202), response.text)

    def test_what_nova_writes_itself_is_no_reference_at_fault(self):
        """A snapshot of a server on a volume has an empty base_image_ref."""
        disk = {"source_type": "volume", "destination_type": "volume"}
        root = {**disk, "boot_index": 0, "volume_id": self.volume()}
        server = self.server("", root)
        # Nova asks the host of one that runs to be quiet.
        typed.rest(server, vm_states.STOPPED, power_state.SHUTDOWN)
        before = set(self.glance.images)
        action = {"createImage": {"name": "x", "metadata": {"x": "1"}}}
        response = self.act(server, action)
        self.assertEqual(202, response.status_int, response.text)
        (made,) = set(self.glance.images) - before
        properties = self.glance.images[made]["properties"]
        self.assertEqual("", properties["base_image_ref"])
