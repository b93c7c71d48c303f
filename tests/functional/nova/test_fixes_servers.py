# SPDX-License-Identifier: Apache-2.0
"""Servers that exist: what a refusal says to do, done."""

import copy

from nova.compute import power_state, vm_states

from tests import following
from tests.functional.nova import fixes, typed


class TestRebuild(fixes.Fixes):
    def rebuild(self, server, image):
        response = self.act(server, {"rebuild": {"imageRef": image}})
        if response.status_int == 202:
            typed.rest(server)
        return response

    def test_rebuilds(self):
        server = self.server(self.owned())
        for properties in self.settings():
            image = self.owned(**properties)
            text = self.explained(self.rebuild(server, image))
            typed.commands(self, text)
            self.passes(self.rebuild(server, image), text)

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

    def test_a_snapshot_with_an_old_device(self):
        server = self.server(self.owned())
        shelved = {"shelved_image_id": self.owned(hw_sound_model="sb16")}
        state = vm_states.SHELVED_OFFLOADED
        typed.rest(server, state, power_state.SHUTDOWN, **shelved)
        text = self.explained(self.act(server, {"unshelve": None}))
        typed.commands(self, text)
        self.passes(self.act(server, {"unshelve": None}), text)


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


class TestAttach(fixes.Fixes):
    """A device that is plugged in, by what Nova keeps of the image."""

    def setUp(self):
        super().setUp()
        # What comes after the gate needs a compute.
        self.taken = []
        for name in ("attach_volume", "attach_interface"):
            self.stub_out(
                f"nova.compute.api.API.{name}",
                lambda *_, name=name, **__: self.taken.append(name),
            )

    def attach(self, server, what, body):
        return self.call("POST", f"/v2.1/servers/{server}/{what}", body)

    def volume_to(self, server):
        volume = self.volume()
        body = {"volumeAttachment": {"volumeId": volume}}
        return self.attach(server, "os-volume_attachments", body)

    def card_to(self, server):
        return self.attach(server, "os-interface", {})

    def mended(self, server, text):
        """Rebuild a server as a text says."""
        (step,) = following.steps(text)
        self.assertEqual("stored", step.kind)
        image = self.owned(**step.given)
        self.passes(self.act(server, {"rebuild": {"imageRef": image}}))
        typed.rest(server)

    def follow(self, attach, name, **properties):
        image = self.owned(**properties)
        server = self.server(image, **properties)
        self.mended(server, self.explained(attach(server)))
        self.assertEqual([], self.taken)
        attach(server)
        self.assertEqual([name], self.taken)

    def test_a_card(self):
        self.follow(self.card_to, "attach_interface", hw_vif_model="e1000")

    def test_a_volume(self):
        self.follow(self.volume_to, "attach_volume", hw_disk_bus="ide")

    def test_a_volume_that_would_be_scsi(self):
        """As Nova plugs it in where the first disk is on sata."""
        self.write_policy(
            "guest_devices: {disk_bus: {allow: [sata, virtio]}}\n"
        )
        self.follow(self.volume_to, "attach_volume", hw_disk_bus="sata")

    def test_a_device_of_the_host(self):
        port = copy.deepcopy(self.neutron.port_1)
        port["binding:vnic_type"] = "direct"
        self.neutron._ports[port["id"]] = port
        server = self.server(self.owned())
        body = {"interfaceAttachment": {"port_id": port["id"]}}
        text = self.explained(self.attach(server, "os-interface", body))
        (step,) = following.steps(text)
        self.assertEqual("port", step.kind)
        port["binding:vnic_type"] = "normal"
        self.attach(server, "os-interface", body)
        self.assertEqual(["attach_interface"], self.taken)
