# SPDX-License-Identifier: Apache-2.0
"""Fixes for actions on existing servers: Nova then accepts the action.

Fixes for other requests are in test_refusals, and those for each origin of a
rescue's controller in tests/unit/explain/requests.yaml.
"""

from tests.functional.nova import typed
from tests.functional.nova.typed import CONTROLLER, OTHERS

STABLE = {"hw_rescue_device": "disk", "hw_rescue_bus": "virtio"}
ON_SCSI = {**STABLE, "hw_rescue_bus": "scsi"}
SCSI = {"hw_disk_bus": "scsi", **CONTROLLER}


class TestFixes(typed.Fixes):
    def test_commands(self):
        """They change the server's own image, the new one, or the server."""
        own = self.owned()
        slow = self.server(self.owned(), os_shutdown_timeout="3600")
        root = {
            "source_type": "image",
            "destination_type": "local",
            "image_id": self.owned(**SCSI),
            "boot_index": 0,
            "disk_bus": "scsi",
            "device_name": "/dev/sda",
        }
        for server, action, properties, named in (
            (self.server(own), "rescue", ON_SCSI, own),
            (self.server(self.owned(OTHERS)), "rescue", ON_SCSI, ""),
            (slow, "rescue", STABLE, slow),
            # The new image has to name the controller of the kept disk.
            (self.server("", root, **SCSI), "rebuild", {}, ""),
        ):
            image = self.owned(**properties)
            key = "imageRef" if action == "rebuild" else "rescue_image_ref"
            body = {action: {key: image}}
            text = self.explained(self.act(server, body))
            self.assertIn(named or image, text)
            typed.commands(self, text)
            self.passes(self.act(server, body), text)

    def test_a_rescue_without_an_image(self):
        for reference in ("http://127.0.0.1/x", OTHERS):
            server = self.server(self.owned(), base_image_ref=reference)
            response = self.act(server, {"rescue": None})
            typed.commands(self, self.explained(response), self.owned())
