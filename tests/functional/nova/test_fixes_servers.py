# SPDX-License-Identifier: Apache-2.0
"""Servers that exist: what a refusal says to do, done."""

from nova.compute import power_state, vm_states

from tests import following
from tests.functional.nova import fixes, typed


class TestRebuild(fixes.Fixes):
    def rebuild(self, server, image):
        response = self.act(server, {"rebuild": {"imageRef": image}})
        if response.status_int == 202:
            typed.rest(server)
        return response

    def test_a_rebuild_of_a_disk_on_scsi(self):
        """The image that comes speaks for the disk that stays."""
        own = self.owned(hw_disk_bus="scsi", **fixes.CONTROLLER)
        root = {
            "source_type": "image",
            "destination_type": "local",
            "image_id": own,
            "boot_index": 0,
            "disk_bus": "scsi",
            "device_name": "/dev/sda",
        }
        server = self.server("", root, hw_disk_bus="scsi", **fixes.CONTROLLER)
        image = self.owned()
        text = self.explained(self.rebuild(server, image))
        typed.commands(self, text)
        self.passes(self.rebuild(server, image), text)


class TestUnshelve(fixes.Fixes):
    def test_a_snapshot_that_is_gone(self):
        server = self.server(self.owned())
        shelved = {"shelved_image_id": fixes.OTHERS}
        state = vm_states.SHELVED_OFFLOADED
        typed.rest(server, state, power_state.SHUTDOWN, **shelved)
        text = self.explained(self.act(server, {"unshelve": None}))
        (step,) = following.steps(text)
        self.assertEqual("by hand", step.kind)


class TestKept(fixes.Fixes):
    """Unchangeable parts of a server, under a policy that enforces moves."""

    POLICY = "moves: {guest_devices: enforce}\n"

    def test_a_disk(self):
        for bus, kind in (
            ("ide", "disk"),
            ("ide", "cdrom"),
            ("fdc", "floppy"),
        ):
            root = {
                "source_type": "volume",
                "destination_type": "volume",
                "volume_id": self.volume(),
                "disk_bus": bus,
                "device_type": kind,
                "device_name": "/dev/hdb",
                "boot_index": 1,
                "connection_info": "{}",
            }
            server = self.server(self.owned(), root)
            body = {"rebuild": {"imageRef": self.owned()}}
            text = self.explained(self.act(server, body))
            steps = following.steps(text)
            self.assertEqual({"kept"}, {step.kind for step in steps})
            self.assertIn("hdb", text)
            given = {k: v for s in steps for k, v in s.given.items()}
            self.passes(self.boot(self.owned(**given)), text)
