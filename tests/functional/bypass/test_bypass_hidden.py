# SPDX-License-Identifier: Apache-2.0
"""Rows 36 and 37: an image changes after the Nova API gate has read it.

The scheduler's gate reads the data that Nova has stored, which is the data
that the guest is built from.

The owner shares the image with a second project of their own and withdraws
it, as often as needed: an image that is older than the policy, or exempt. A
root volume is made bootable, or its metadata is corrected, in the same way.
"""

import copy
from pathlib import Path

import glanceclient.exc
from nova.image import glance
from nova.volume import cinder

from nova_vhard.gates import nova_root
from nova_vhard.request.lookups import NotFound
from tests.functional.bypass import ways
from tests.functional.nova import base

IDE = 'bus="ide"'
PC = {"hw_machine_type": "pc"}
CALL = "nova.image.glance.GlanceClientWrapper.call"


class Boots(ways.Ways):
    def hide(self, error=glanceclient.exc.HTTPNotFound):
        """Hide every image from the gate; Nova's own reading is another."""

        def call(*_args, **_more):
            raise error("no such image")

        self.stub_out(CALL, call)

    def change_after_the_look(self, image, **properties):
        """Change an image as soon as Glance has answered somebody."""
        stored = self.glance.images[image]["properties"]
        if self.API_GATE is None:
            # Nova, which is the first to look, looks after it
            stored.update(properties)
            return
        look = glance.GlanceClientWrapper.call

        def call(*args, **more):
            answer = look(*args, **more)
            stored.update(properties)
            return answer

        self.stub_out(CALL, call)

    def test_bypass_36_boot_with_a_config_drive(self):
        """The scheduler's gate sees the image and the config drive."""
        image = self.image(**PC)
        self.hide()
        self.boots(self.boot(image, config_drive=True), IDE)

    def test_bypass_36_boot_from_what_is_forbidden_yet(self):
        """Glance refuses it by a rule about what its owner may change."""
        image = self.image(**PC)
        self.hide(glanceclient.exc.HTTPForbidden)
        self.boots(self.boot(image, config_drive=True), IDE)

    def test_bypass_37_boot_with_a_config_drive(self):
        """The scheduler's gate sees the image and the config drive."""
        image = self.image(hw_machine_type="q35")
        self.change_after_the_look(image, **PC)
        response = self.boot(image, config_drive=True)
        self.boots(response, IDE)

    def test_bypass_37_boot_with_a_disk_of_its_own(self):
        image = self.image(hw_machine_type="q35")
        self.change_after_the_look(image, hw_disk_bus="ide")
        root = self.disk(image, source_type="image", volume_size=1)
        response = self.boot(None, block_device_mapping_v2=[root])
        self.boots(response, IDE)

    def change_volume_after_the_look(self, volume, **metadata):
        """Change a volume's image metadata as soon as Cinder has answered."""
        stored = self.cinder.volumes[volume]["volume_image_metadata"]
        if self.API_GATE is None:
            stored.update(metadata)
            return
        # of Nova's fixture, which has no API of its own
        look = cinder.API.get

        def get(_api, *args, **more):
            answer = copy.deepcopy(look(*args, **more))
            stored.update(metadata)
            return answer

        self.stub_out("nova.volume.cinder.API.get", get)

    def boots_on(self, seen, later, **request):
        """Boot from a volume that says something else after the look."""
        volume = self.volume(**seen)
        self.change_volume_after_the_look(volume, **later)
        response = self.boot(
            None, block_device_mapping_v2=[self.disk(volume)], **request
        )
        self.boots(response, IDE)

    def test_bypass_37_boot_from_a_volume_with_a_config_drive(self):
        self.boots_on({"hw_machine_type": "q35"}, PC, config_drive=True)

    def test_bypass_37_boot_from_a_volume_on_another_bus(self):
        self.boots_on({"hw_machine_type": "q35"}, {"hw_disk_bus": "ide"})

    def boots_from(self, **seen):
        """Boot from a volume that the gate sees as it is for a moment."""
        root = self.disk(self.volume(**PC))
        get = nova_root._Cinder.get
        self.stub_out(
            "nova_vhard.gates.nova_root._Cinder.get",
            lambda *args: {**get(*args), **seen},
        )
        response = self.boot(
            None, block_device_mapping_v2=[root], config_drive=True
        )
        self.boots(response, IDE)

    def test_bypass_36_root_volume_that_is_not_bootable_yet(self):
        """Its owner says whether it is, in Cinder."""
        self.boots_from(bootable=False)

    def test_bypass_36_root_volume_that_cannot_be_read_yet(self):
        self.boots_from(volume_image_metadata={"min_ram": "little", **PC})

    def hide_from_the_gate(self, look_up):
        """Make one of the gate's look-ups find nothing."""

        def none(*_args):
            raise NotFound("not there yet")

        name = f"nova_vhard.gates.nova_lookup.NovaLookups.{look_up}"
        self.stub_out(name, none)

    def test_bypass_36_snapshot_that_is_not_there_yet(self):
        """Its project accepts it from another one, in Cinder."""
        snapshot = self.snapshot(self.volume(**PC))
        self.hide_from_the_gate("volume_snapshot")
        root = self.disk(snapshot, source_type="snapshot")
        response = self.boot(
            None, block_device_mapping_v2=[root], config_drive=True
        )
        self.boots(response, IDE)

    def test_bypass_36_flavor_that_is_not_there_yet(self):
        """The scheduler's gate sees the flavor and the image."""
        self.hide_from_the_gate("flavor")
        self.boots(self.boot(self.image(**PC), config_drive=True), IDE)


class Unscheduled(Boots):
    """Requests for which Nova's API reads the image after the gate."""

    def acted(self, action, **properties):
        server = self.active(self.image())
        home = Path(base.CONF.instances_path) / server
        home.mkdir(exist_ok=True)
        self.witness.texts.clear()
        image = self.image(**properties)
        self.hide()
        response = self.act(server, action(image))
        if not self.GUARDED:
            self.ends(response, IDE)
            return
        assert response.status_int == 400, response.text
        self.settle()
        self.clean(IDE)

    def test_bypass_36_rebuild(self):
        def action(image):
            return {"rebuild": {"imageRef": image}}

        self.acted(action, hw_disk_bus="virtio", img_config_drive="mandatory")

    def test_bypass_36_rescue(self):
        def action(image):
            return {"rescue": {"rescue_image_ref": image}}

        self.acted(action, hw_disk_bus="ide")


(TestGuarded,) = ways.cases(Unscheduled, base.LibvirtCase, ways.Guarded)


(TestFilterAlone,) = ways.cases(Boots, base.LibvirtCase, ways.FilterAlone)
