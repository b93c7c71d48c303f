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

    def fixed(self, server, image, passes=None):
        """Do what the refusal says, and rescue; return the refusal.

        :param passes: what checks the answer then; None for a success
        """
        text = self.explained(self.rescue(server, image))
        made = typed.commands(self, text).made
        image = made.get("my-copy", image)
        (passes or self.passes)(self.rescue(server, image))
        return text

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

    def test_the_controller_of_a_stable_rescue(self):
        """It is the server's, so that its own image has to say it."""
        own = self.owned(hw_vif_model="virtio")
        image = self.owned(**ON_SCSI)
        text = self.fixed(self.server(own), image)
        self.assertIn(own, text)
        self.assertNotIn(image, text)
        # that of a server on a volume
        volume = self.volume(hw_vif_model="virtio")
        text = self.fixed(self.on_volume(volume), image, self.admitted)
        self.assertIn("openstack volume set --image-property", text)
        self.assertIn(volume, text)
        # The user cannot change another's image: the disk gets another bus.
        self.fixed(self.server(self.owned(fixes.OTHERS)), image)
        # that of an image that is gone
        own = self.owned()
        server = self.server(own)
        del self.glance.images[own]
        self.fixed(server, self.owned(fixes.OTHERS, **ON_SCSI))

    def test_a_slow_shutdown(self):
        server = self.server(self.owned(), os_shutdown_timeout="3600")
        self.fixed(server, self.owned(**STABLE))

    def test_a_rescue_without_an_image(self):
        for reference in ("http://127.0.0.1/x", fixes.OTHERS):
            server = self.server(self.owned(), base_image_ref=reference)
            text = self.explained(self.rescue(server))
            typed.commands(self, text, self.owned())

    def test_a_root_volume_that_cannot_be_read(self):
        server = self.on_volume(self.volume())

        def get(_self, _context, volume_id, **_more):
            raise exception.VolumeNotFound(volume_id=volume_id)

        self.stub_out("nova.volume.cinder.API.get", get)
        text = self.explained(self.rescue(server, self.owned(**STABLE)))
        (step,) = following.steps(text)
        self.assertEqual("by hand", step.kind)
