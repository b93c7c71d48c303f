# SPDX-License-Identifier: Apache-2.0
"""Images that must be signed, and Nova's later handling of them."""

from unittest import mock

from nova.compute import power_state, vm_states
from nova.tests.fixtures import PROJECT_ID

from nova_vhard.gates import nova_images
from tests.functional.nova import helpers, typed
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

    def rescue(self, server, **properties):
        image = self.image(**properties)
        return self.act(server, {"rescue": {"rescue_image_ref": image}})

    def rebuild(self, server, image):
        return self.act(server, {"rebuild": {"imageRef": image}})

    def test_each_part_of_a_signature_counts(self):
        self.passed(self.boot(self.image(**helpers.CLEAN, **SIGNED)))
        for name in SIGNED:
            part = {key: SIGNED[key] for key in SIGNED if key != name}
            for more, text in (
                ({}, f"{name} is not set"),
                ({name: ""}, f"{name}=''"),
            ):
                image = self.image(**helpers.CLEAN, **part, **more)
                self.refused(self.boot(image), text)

    def test_nobody_is_told_to_write_a_signature_himself(self):
        response = self.boot(self.image(**helpers.CLEAN))
        self.refused(response, "To fix: sign the image with a key")
        self.assertNotIn("--property", response.text)

    def test_a_server_gets_no_other_file(self):
        """Its devices may stay as they are; another file is a new file."""
        for signature in (SIGNED, {}):
            own = self.image(**signature)
            server = self.server(own, **signature)
            for more in ({}, STABLE):
                self.refused(self.rescue(server, **more), MISSING)
            self.refused(self.rebuild(server, self.image()), MISSING)
            # nor is it stranded
            for more in ({}, STABLE):
                self.passed(self.rescue(server, **SIGNED, **more))
                typed.rest(server, vm_states.ACTIVE, power_state.RUNNING)
            self.passed(self.act(server, {"rescue": None}))
            for image in (own, self.image(**SIGNED)):
                typed.rest(server, vm_states.ACTIVE, power_state.RUNNING)
                self.passed(self.rebuild(server, image))

    def test_a_flavor_that_is_not_there(self):
        """Nova says so; the image is signed."""
        for more in ({}, {"config_drive": True}):
            response = self.boot(self.image(**SIGNED), flavorRef="9", **more)
            self.assertEqual(400, response.status_int, response.text)
            self.assertIn("Flavor 9 could not be found", response.text)

    def test_a_snapshot_is_not_signed_and_unshelved_all_the_same(self):
        server = self.server(self.image(**SIGNED), **SIGNED)
        self.passed(self.act(server, {"createImage": {"name": "backup"}}))
        # what it asks for beside is judged as ever
        for properties, names in (({}, ()), (helpers.IDE, ("hw_disk_bus",))):
            typed.rest(
                server,
                vm_states.SHELVED_OFFLOADED,
                power_state.SHUTDOWN,
                shelved_image_id=self.image(**properties),
            )
            self.judged(self.act(server, {"unshelve": None}), *names)


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
        """Return a root disk of each kind, in format 2."""
        image, volume = self.image(**properties), self.volume(**properties)
        return [
            self.disk(image, source_type="image", volume_size=1),
            self.disk(volume),
            self.disk(self.snapshot(volume), source_type="snapshot"),
        ]

    def test_a_root_disk(self):
        image = self.image(**SIGNED)
        for properties in ({}, SIGNED):
            for root in self.sources(**properties):
                for index in (0, "0"):
                    self.boots(False, image, {**root, "boot_index": index})
        # one of the image itself
        root = self.disk(image, source_type="image", volume_size=1)
        for reference, disks in ((image, ()), (image, [root]), (None, [root])):
            self.boots(True, reference, *disks)

    def test_a_root_volume_whose_metadata_is_signed(self):
        for properties in ({}, SIGNED):
            _, *roots = self.sources(**properties)
            for root in roots:
                response = self.boot(None, block_device_mapping_v2=[root])
                self.judged(response, *([] if properties else [MISSING]))
                if properties:
                    self.assertEqual("", self.filtered(response))

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
        snapshot = self.snapshot(self.volume())
        old = {"snapshot_id": snapshot, "device_name": "vda"}
        listed = [(old, {})]
        for root in self.sources():
            place = f"{root['source_type']}_id"
            entry = {**root, place: root["uuid"]}
            del entry["uuid"]
            listed.append((entry, {"bdm_v2": "true"}))
        for entry, more in listed:
            properties = {**SIGNED, **more, "block_device_mapping": [entry]}
            self.boots(False, self.image(**properties))

    def test_an_image_of_which_nobody_answers_the_gate(self):
        for properties, passes in (({}, False), (SIGNED, True)):
            image = self.image(**properties)
            with mock.patch.object(
                nova_images, "get", side_effect=OSError("no")
            ):
                self.boots(passes, image)


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

    def test_at_both_gates(self):
        other = self.image(**helpers.CLEAN)
        images = self.glance.images
        images[OLD] = {**images[other], "id": OLD}
        self.assertEqual("", self.filtered(self.boot(OLD)))
        self.refused(self.boot(other), MISSING)
        self.assertIn(NOT_SIGNED, self.scheduled(self.wish(other)))
        volume = self.volume()
        for root in (
            self.disk(volume),
            self.disk(self.snapshot(volume), source_type="snapshot"),
            self.disk(self.image(), source_type="image", volume_size=1),
        ):
            response = self.boot(OLD, block_device_mapping_v2=[root])
            self.assertIn(NOT_SIGNED, self.filtered(response))
