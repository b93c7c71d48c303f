# SPDX-License-Identifier: Apache-2.0
"""Exemptions, as both of Nova's gates apply them."""

import uuid

from nova.tests.fixtures import PROJECT_ID

from tests.functional.nova import base, helpers, verdicts

PROJECT = "0123456789abcdef0123456789abcdef"
FORMER = "fedcba9876543210fedcba9876543210"
POLICY = f"""\
exemptions:
  - id: by-project
    reason: vendor image without a virtio driver
    projects: [{PROJECT}]
    rules: {{guest_devices.disk_bus: [ide]}}
    until: 2099-12-31
  - id: by-flavor-id
    reason: appliances
    flavors: ["2"]
    rules: {{guest_devices.disk_bus: [ide]}}
    until: 2099-12-31
  - id: by-flavor-name
    reason: appliances
    flavors: [m1.medium]
    rules: {{guest_devices.disk_bus: [ide]}}
    until: 2099-12-31
  - id: by-role
    reason: the team that tests old images
    roles: [museum]
    rules: {{guest_devices.disk_bus: "*"}}
    until: 2099-12-31
  - id: over
    reason: nobody renewed it
    projects: [{FORMER}]
    rules: {{guest_devices.disk_bus: [ide]}}
    until: 2020-01-01
"""
BOTH = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}
IDE, E1000 = "hw_disk_bus=ide", "hw_vif_model=e1000"
#: Image properties, flavor, who asks, and what is refused.
CASES = (
    (helpers.IDE, "1", {}, [IDE]),
    (helpers.IDE, "1", {"project": PROJECT}, []),
    (BOTH, "1", {"project": PROJECT}, [E1000]),
    (helpers.IDE, "1", {"project": FORMER}, [IDE]),
    (helpers.IDE, "2", {}, []),
    # m1.medium in Nova's fixture
    (helpers.IDE, "3", {}, []),
    # Nova takes the last part of a link as the flavor.
    (helpers.IDE, "http://nova.example/flavors/1", {}, [IDE]),
    (helpers.IDE, "http://nova.example/flavors/2", {}, []),
    *(
        (helpers.IDE, "1", {"roles": (*helpers.MEMBER, role)}, [])
        for role in ("museum", "Museum", "MUSEUM")
    ),
)


class BothGates(verdicts.VerdictCase):
    def check(self, refused, body, **who):
        """Boot; check the rules that each gate names on its own."""
        response = self.call("POST", "/v2.1/servers", body, **who)
        status = 403 if refused else 202
        self.assertEqual(status, response.status_int, response.text)
        named = response.text.replace("'", "")
        reason = self.scheduled(body, **who)
        self.assertEqual(bool(refused), bool(reason))
        for text in (IDE, E1000):
            self.assertEqual(text in refused, text in named, named)
            self.assertEqual(text in refused, text in reason, reason)


class TestExemptions(BothGates):
    POLICY = POLICY

    def test_each(self):
        for properties, flavor, who, refused in CASES:
            with self.subTest(flavor=flavor, who=who):
                image = self.image(**properties)
                self.check(refused, self.wish(image, flavorRef=flavor), **who)


class TestAtTheScheduler(base.FakeDriverCase):
    """Where the scheduler's gate is the only one."""

    API_GATE = None
    POLICY = POLICY

    def test_the_roles_get_there(self):
        body = self.wish(self.image(**helpers.IDE))
        roles = (*helpers.MEMBER, "Museum")
        response = self.call("POST", "/v2.1/servers", body, roles=roles)
        self.wait(response.json["server"]["id"], "ACTIVE")


OLD, OTHER = (str(uuid.UUID(int=number)) for number in (1, 2))
BY_IMAGE = """\
exemptions:
  - id: old
    reason: vendor image without a virtio driver
    projects: [{project}]
    images: [{image}]
    rules: {{guest_devices.disk_bus: [ide], guest_devices.vif_model: [e1000]}}
    until: 2099-12-31
"""
#: image_id as stored in Cinder, and whether the exemption applies.
MADE_OF = (
    ({"image_id": OLD}, True),
    ({"image_id": OTHER}, False),
    ({"image_id": ""}, False),
    ({}, False),
)


class TestByImageOfAVolume(BothGates):
    """An exemption by image applies to volumes that were made from it.

    RequestSpec.image has no image_id, so the filter asks Cinder.
    """

    POLICY = BY_IMAGE.format(project=PROJECT_ID, image=OLD)

    def boots(self, held, volume):
        """Boot from a volume, and from a snapshot of it."""
        disk = self.disk(self.snapshot(volume), source_type="snapshot")
        for root in (self.disk(volume), disk):
            body = self.wish(None, block_device_mapping_v2=[root])
            self.check([] if held else [IDE, E1000], body)

    def test_a_boot(self):
        for made_of, held in MADE_OF:
            with self.subTest(made_of=made_of):
                self.boots(held, self.volume(**BOTH, **made_of))
        # An exemption does not name a volume.
        volume = self.volume(**BOTH)
        for project, image in ((PROJECT_ID, volume), (PROJECT, OLD)):
            self.write_policy(BY_IMAGE.format(project=project, image=image))
            self.boots(False, volume)
        self.boots(False, self.volume(**BOTH, image_id=OLD))

    def test_what_it_does_not_name(self):
        root = self.disk(self.volume(image_id=OLD, hw_disk_bus="sata"))
        response = self.boot(None, block_device_mapping_v2=[root])
        self.assertEqual(403, response.status_int)
        body = self.wish(None, block_device_mapping_v2=[root])
        self.assertIn("hw_disk_bus=sata", self.scheduled(body))


class TestByImageOfAServer(verdicts.VerdictCase):
    """The gate's answer for a server that was booted from a volume."""

    POLICY = BY_IMAGE.format(project=PROJECT_ID, image=OLD) + (
        "moves: {guest_devices: enforce}\n"
    )

    def test_each_operation(self):
        # What is let through waits for a compute that is not there.
        self.flags(rpc_response_timeout=1, long_rpc_timeout=1)
        card = {"net_id": self.neutron.network_1["id"]}
        volume = {"volumeId": self.volume()}
        snapshot = {"name": "x", "metadata": {"hw_disk_bus": "ide"}}
        for path, body in (
            ("os-interface", {"interfaceAttachment": card}),
            ("os-volume_attachments", {"volumeAttachment": volume}),
            ("action", {"resize": {"flavorRef": "2"}}),
            ("action", {"createImage": snapshot}),
        ):
            for made_of, held in MADE_OF:
                with self.subTest(body=body, made_of=made_of):
                    root = {
                        "source_type": "volume",
                        "destination_type": "volume",
                        "boot_index": 0,
                        "volume_id": self.volume(**BOTH, **made_of),
                    }
                    server = self.server("", root, **BOTH)
                    response = self.call(
                        "POST", f"/v2.1/servers/{server}/{path}", body
                    )
                    refused = response.status_int == 403
                    self.assertEqual(held, not refused, response.text)
