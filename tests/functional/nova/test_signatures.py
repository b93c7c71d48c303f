# SPDX-License-Identifier: Apache-2.0
"""Images that must be signed, and what Nova makes of them later."""

from nova.compute import power_state, vm_states

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
