# SPDX-License-Identifier: Apache-2.0
"""Images that must be signed, and Nova's later handling of them."""

from unittest import mock

from nova.compute import power_state, vm_states
from nova.tests.fixtures import PROJECT_ID

from nova_vhard.gates import nova_images
from tests.functional.nova import base, helpers, typed
from tests.functional.nova.test_verdicts import Verdicts

SIGNED = {
    "img_signature": "c2lnbmVk",
    "img_signature_certificate_uuid": "725c6a5e-0b3c-4a3a-8f0e-2d4f4c2f0c11",
    "img_signature_hash_method": "SHA-256",
    "img_signature_key_type": "RSA-PSS",
}
STABLE = {"hw_rescue_device": "disk", "hw_rescue_bus": "virtio"}
MISSING = "img_signature is not set"
NOT_SIGNED = "img_signature must be set"
#: An image that an exemption is for.
OLD = "725c6a5e-0000-4a3a-8f0e-2d4f4c2f0c11"


class TestSigned(Verdicts):
    POLICY = """\
guest_devices:
  image_signature: {allow: ["?*"], explicit: true}
  image_signature_certificate:
    allow: [725c6a5e-0b3c-4a3a-8f0e-2d4f4c2f0c11]
    explicit: true
  image_signature_hash: {allow: [SHA-256], explicit: true}
  image_signature_key_type: {allow: [RSA-PSS], explicit: true}
"""

    def test_a_boot(self):
        self.passed(self.boot(self.image(**helpers.CLEAN, **SIGNED)))
        self.refused(self.boot(self.image(**helpers.CLEAN)), MISSING)

    def test_each_part_counts(self):
        for name in SIGNED:
            part = {key: SIGNED[key] for key in SIGNED if key != name}
            image = self.image(**helpers.CLEAN, **part)
            self.refused(self.boot(image), f"{name} is not set")
            image = self.image(**{**helpers.CLEAN, **SIGNED, name: ""})
            self.refused(self.boot(image), f"{name}=''")

    def test_nobody_is_told_to_write_a_signature_himself(self):
        response = self.boot(self.image(**helpers.CLEAN))
        self.refused(response, "To fix: sign the image with a key")
        self.assertNotIn("--property", response.text)

    def test_a_rebuild_and_a_rescue_with_another_image(self):
        own = self.image(**SIGNED)
        server = self.server(own, **SIGNED)
        for more in ({}, STABLE):
            image = self.image(**more)
            rescue = {"rescue": {"rescue_image_ref": image}}
            self.refused(self.act(server, rescue), MISSING)
        image = self.image()
        rebuild = {"rebuild": {"imageRef": image}}
        self.refused(self.act(server, rebuild), MISSING)
        self.passed(self.act(server, {"rebuild": {"imageRef": own}}))

    def test_a_server_from_before_gets_no_other_file(self):
        """Its devices may stay as they are; another file is a new file."""
        own, other = self.image(), self.image()
        server = self.server(own)
        response = self.act(server, {"rebuild": {"imageRef": other}})
        self.refused(response, MISSING)
        for more in ({}, STABLE):
            rescue = {"rescue_image_ref": self.image(**more)}
            response = self.act(server, {"rescue": rescue})
            self.refused(response, MISSING)
        # nor is it stranded
        for more in ({}, STABLE):
            rescue = {"rescue_image_ref": self.image(**SIGNED, **more)}
            self.passed(self.act(server, {"rescue": rescue}))
            typed.rest(server, vm_states.ACTIVE, power_state.RUNNING)
        self.passed(self.act(server, {"rescue": None}))
        for image in (own, self.image(**SIGNED)):
            typed.rest(server, vm_states.ACTIVE, power_state.RUNNING)
            response = self.act(server, {"rebuild": {"imageRef": image}})
            self.passed(response)

    def test_a_flavor_that_is_not_there(self):
        """Nova says so; the image is signed."""
        for more in ({}, {"config_drive": True}):
            response = self.boot(self.image(**SIGNED), flavorRef="9", **more)
            self.assertEqual(400, response.status_int, response.text)
            self.assertIn("Flavor 9 could not be found", response.text)

    def test_a_rescue_disk_that_is_signed(self):
        server = self.server(self.image(**SIGNED), **SIGNED)
        image = self.image(**STABLE, **SIGNED)
        self.passed(self.act(server, {"rescue": {"rescue_image_ref": image}}))

    def test_a_snapshot_is_not_signed_and_unshelved_all_the_same(self):
        server = self.server(self.image(**SIGNED), **SIGNED)
        self.passed(self.act(server, {"createImage": {"name": "backup"}}))
        shelved = {"shelved_image_id": self.image()}
        state = vm_states.SHELVED_OFFLOADED
        typed.rest(server, state, power_state.SHUTDOWN, **shelved)
        self.passed(self.act(server, {"unshelve": None}))
        # what it asks for beside is judged as ever
        shelved = {"shelved_image_id": self.image(**helpers.IDE)}
        typed.rest(server, state, power_state.SHUTDOWN, **shelved)
        self.refused(self.act(server, {"unshelve": None}), "hw_disk_bus")


class TestFileBesideTheImage(Verdicts):
    """The image sets the devices, but the guest boots another file.

    The API gate looks up no file. The scheduler's gate knows which disks the
    guest can boot, but not whether their source is signed.
    """

    POLICY = TestSigned.POLICY

    def boots(self, passes, image, *disks, **more):
        """Check the answer of the scheduler's gate for a boot."""
        if disks:
            more["block_device_mapping_v2"] = disks
        reason = self.filtered(self.boot(image, **more))
        self.assertEqual(passes, NOT_SIGNED not in reason, reason)

    def sources(self, **properties):
        """Yield a root disk of each kind, in format 2."""
        image = self.image(**properties)
        yield self.disk(image, source_type="image", volume_size=1)
        volume = self.volume(**properties)
        yield self.disk(volume)
        yield self.disk(self.snapshot(volume), source_type="snapshot")

    def test_a_root_disk_of_something_else(self):
        image = self.image(**SIGNED)
        for properties in ({}, SIGNED):
            for root in self.sources(**properties):
                for index in (0, "0"):
                    self.boots(False, image, {**root, "boot_index": index})

    def test_a_root_disk_of_the_image_itself(self):
        image = self.image(**SIGNED)
        root = self.disk(image, source_type="image", volume_size=1)
        self.boots(True, image)
        self.boots(True, image, root)
        self.boots(True, None, root)

    def test_a_root_volume_whose_metadata_is_signed(self):
        for properties in ({}, SIGNED):
            _, *roots = self.sources(**properties)
            for root in roots:
                response = self.boot(None, block_device_mapping_v2=[root])
                if properties:
                    self.assertEqual("", self.filtered(response))
                else:
                    self.refused(response, MISSING)

    def test_a_second_disk_that_can_be_booted(self):
        image = self.image(**SIGNED)
        own = self.disk(image, source_type="image", destination_type="local")
        for disk in self.sources():
            for index, passes in ((1, False), (-1, True), (None, True)):
                second = {**disk, "boot_index": index}
                self.boots(passes, image, own, second)

    def test_a_root_disk_in_format_1(self):
        image = self.image(**SIGNED)
        named = self.image(**SIGNED, root_device_name="/dev/sda")
        for asked, name, passes in (
            (image, "vda", False),
            (named, "vda", True),
            (named, "sda", False),
            (image, "sda", True),
        ):
            disk = {"volume_id": self.volume(), "device_name": name}
            self.boots(passes, asked, block_device_mapping=[disk])

    def test_a_root_disk_in_the_images_own_properties(self):
        for root in self.sources():
            source = root["source_type"]
            entry = {**root, f"{source}_id": root.pop("uuid")}
            del entry["uuid"]
            image = self.image(
                **SIGNED, bdm_v2="true", block_device_mapping=[entry]
            )
            self.boots(False, image)
        entry = {"snapshot_id": self.snapshot(self.volume())}
        entry["device_name"] = "vda"
        self.boots(False, self.image(**SIGNED, block_device_mapping=[entry]))

    def test_an_image_of_which_nobody_answers_the_gate(self):
        for properties, passes in (({}, False), (SIGNED, True)):
            image = self.image(**properties)
            with mock.patch.object(
                nova_images, "get", side_effect=OSError("no")
            ):
                self.boots(passes, image)


def unsigned(cloud):
    """Put the image that an exemption is for into Glance."""
    cloud.glance.images.pop(OLD, None)
    made = cloud.glance.images.pop(cloud.image(**helpers.CLEAN))
    cloud.glance.images[OLD] = {**made, "id": OLD}


class TestExemptionOfAnImage(Verdicts):
    """It is for that image, not for what is booted beside it."""

    POLICY = f"""\
{TestSigned.POLICY}
exemptions:
  - id: unsigned
    reason: from before there were keys
    projects: [{PROJECT_ID}]
    images: [{OLD}]
    until: 2099-12-31
    rules:
      guest_devices.image_signature: "*"
      guest_devices.image_signature_certificate: "*"
      guest_devices.image_signature_hash: "*"
      guest_devices.image_signature_key_type: "*"
"""

    def test_not_for_what_is_booted_beside_it(self):
        unsigned(self)
        self.assertEqual("", self.filtered(self.boot(OLD)))
        volume = self.volume()
        for root in (
            self.disk(volume),
            self.disk(self.snapshot(volume), source_type="snapshot"),
            self.disk(self.image(), source_type="image", volume_size=1),
        ):
            response = self.boot(OLD, block_device_mapping_v2=[root])
            self.assertIn(NOT_SIGNED, self.filtered(response))


class TestExemptionAtTheScheduler(base.FakeDriverCase):
    """It has to hold there, too, and for no other image."""

    POLICY = TestExemptionOfAnImage.POLICY

    def test_of_an_image(self):
        unsigned(self)
        self.active(OLD)

    def test_of_another_image(self):
        response = self.call(
            "POST",
            "/v2.1/servers",
            self.wish(self.image(**helpers.CLEAN)),
            app=self.without_gate(),
        )
        fault = self.fault(response.json["server"]["id"])
        assert NOT_SIGNED in fault
