# SPDX-License-Identifier: Apache-2.0
"""Fixes for actions on existing servers: Nova then accepts the action.

Fixes for other requests are in test_refusals.
"""

import json

from tests import following
from tests.functional.nova import typed
from tests.functional.nova.typed import CONTROLLER, OTHERS

ON_SCSI = {"hw_rescue_device": "disk", "hw_rescue_bus": "scsi"}


class TestFixes(typed.Fixes):
    def on_volume(self, volume, **more):
        disk = {
            "source_type": "volume",
            "destination_type": "volume",
            "volume_id": volume,
            "boot_index": 0,
            "device_name": "/dev/vda",
            "connection_info": json.dumps({"serial": volume}),
        }
        return self.server("", {**disk, **more})

    def fixed(self, server, body, image=None):
        """Run the fix of a refused action, and repeat the action.

        :param image: id that replaces ``IMAGE`` in a command
        :returns: text of the refusal, and the second response
        """
        text = self.explained(self.act(server, body))
        made = typed.commands(self, text, image).made
        if "my-copy" in made:
            body = {"rescue": {"rescue_image_ref": made["my-copy"]}}
        response = self.act(server, body)
        return text, response

    def test_rescues(self):
        """The server's own image has to name its controller."""
        own = self.owned(hw_vif_model="virtio")
        gone = self.owned()
        of_gone = self.server(gone)
        del self.glance.images[gone]
        on_scsi = self.owned(**ON_SCSI)
        slow = self.server(self.owned(), os_shutdown_timeout="3600")
        for server, image, named in (
            (self.server(own), on_scsi, own),
            # The user cannot change the image of another user, so the disk
            # gets another bus.
            (self.server(self.owned(OTHERS)), on_scsi, on_scsi),
            (of_gone, self.owned(OTHERS, **ON_SCSI), OTHERS),
            (
                slow,
                self.owned(**{**ON_SCSI, "hw_rescue_bus": "virtio"}),
                slow,
            ),
        ):
            body = {"rescue": {"rescue_image_ref": image}}
            text, response = self.fixed(server, body)
            self.assertIn(named, text)
            self.passes(response, text)
        volume = self.volume(hw_vif_model="virtio")
        body = {"rescue": {"rescue_image_ref": self.owned(**ON_SCSI)}}
        text, response = self.fixed(self.on_volume(volume), body)
        self.assertIn(volume, text)
        self.admitted(response)

    def test_a_rescue_without_an_image(self):
        for reference in ("http://127.0.0.1/x", OTHERS):
            server = self.server(self.owned(), base_image_ref=reference)
            text = self.explained(self.act(server, {"rescue": None}))
            typed.commands(self, text, self.owned())

    def test_a_rebuild_of_a_disk_on_scsi(self):
        """The new image has to name the controller of the kept disk."""
        root = {
            "source_type": "image",
            "destination_type": "local",
            "image_id": self.owned(hw_disk_bus="scsi", **CONTROLLER),
            "boot_index": 0,
            "disk_bus": "scsi",
            "device_name": "/dev/sda",
        }
        server = self.server("", root, hw_disk_bus="scsi", **CONTROLLER)
        body = {"rebuild": {"imageRef": self.owned()}}
        text, response = self.fixed(server, body)
        self.passes(response, text)

    def test_a_disk_that_nova_does_not_change(self):
        self.write_policy("moves: {guest_devices: enforce}\n")
        for bus, kind in (
            ("ide", "disk"),
            ("ide", "cdrom"),
            ("fdc", "floppy"),
        ):
            disk = {
                "disk_bus": bus,
                "device_type": kind,
                "device_name": "/dev/hdb",
                "boot_index": 1,
            }
            server = self.on_volume(self.volume(), **disk)
            body = {"rebuild": {"imageRef": self.owned()}}
            text = self.explained(self.act(server, body))
            self.assertIn("hdb", text)
            given = {}
            for step in following.steps(text):
                self.assertEqual("kept", step.kind)
                given |= step.given
            self.passes(self.boot(self.owned(**given)), text)
