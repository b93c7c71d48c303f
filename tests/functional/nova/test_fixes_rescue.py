# SPDX-License-Identifier: Apache-2.0
"""Rescues: what a refusal says to do, done; then Nova takes them."""

import json

from nova import exception

from tests import following
from tests.functional.nova import fixes, typed

ON_SCSI = {"hw_rescue_device": "disk", "hw_rescue_bus": "scsi"}
STABLE = {"hw_rescue_device": "disk", "hw_rescue_bus": "virtio"}


class TestRescue(fixes.Fixes):
    """Disks and controllers of a server that is rescued."""

    def rescue(self, server, image=None):
        body = image and {"rescue_image_ref": image}
        response = self.act(server, {"rescue": body})
        if response.status_int == 200:
            typed.rest(server)
        return response

    def test_the_controller_of_a_stable_rescue(self):
        """It is the server's, so that its own image has to say it."""
        own = self.owned(hw_vif_model="virtio")
        server = self.server(own)
        image = self.owned(**ON_SCSI)
        text = self.explained(self.rescue(server, image))
        self.assertIn(own, text)
        self.assertNotIn(image, text)
        typed.commands(self, text)
        self.passes(self.rescue(server, image), text)

    def test_the_controller_of_a_server_on_a_volume(self):
        volume = self.volume(hw_vif_model="virtio")
        server = self.on_volume(volume)
        image = self.owned(**ON_SCSI)
        text = self.explained(self.rescue(server, image))
        self.assertIn("openstack volume set --image-property", text)
        self.assertIn(volume, text)
        typed.commands(self, text)
        self.admitted(self.rescue(server, image))

    def on_volume(self, volume):
        return self.server(
            "",
            {
                "source_type": "volume",
                "destination_type": "volume",
                "volume_id": volume,
                "boot_index": 0,
                "device_name": "/dev/vda",
                "connection_info": json.dumps({"serial": volume}),
            },
        )

    def test_the_controller_of_anothers_image(self):
        """The user cannot change it: the rescue disk gets another bus."""
        server = self.server(self.owned(fixes.OTHERS))
        image = self.owned(**ON_SCSI)
        text = self.explained(self.rescue(server, image))
        typed.commands(self, text)
        self.passes(self.rescue(server, image), text)

    def test_the_controller_of_an_image_that_is_gone(self):
        own = self.owned()
        server = self.server(own)
        del self.glance.images[own]
        image = self.owned(fixes.OTHERS, **ON_SCSI)
        text = self.explained(self.rescue(server, image))
        made = typed.commands(self, text).made
        self.passes(self.rescue(server, made["my-copy"]), text)

    def test_a_rescue_without_an_image(self):
        for reference in ("http://127.0.0.1/x", fixes.OTHERS):
            server = self.server(self.owned(), base_image_ref=reference)
            text = self.explained(self.rescue(server))
            typed.commands(self, text, self.owned())

    def test_a_slow_shutdown(self):
        server = self.server(self.owned(), os_shutdown_timeout="3600")
        image = self.owned(**STABLE)
        text = self.explained(self.rescue(server, image))
        typed.commands(self, text)
        self.passes(self.rescue(server, image), text)

    def test_a_root_volume_that_cannot_be_read(self):
        server = self.on_volume(self.volume())

        def get(_self, _context, volume_id, **_more):
            raise exception.VolumeNotFound(volume_id=volume_id)

        self.stub_out("nova.volume.cinder.API.get", get)
        text = self.explained(self.rescue(server, self.owned(**STABLE)))
        (step,) = following.steps(text)
        self.assertEqual("by hand", step.kind)
