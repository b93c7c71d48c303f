# SPDX-License-Identifier: Apache-2.0
"""Exemptions, as both of Nova's gates apply them."""

import time
import uuid
from unittest import mock

from nova import exception
from nova.tests.fixtures import PROJECT_ID

from nova_vhard.gates import scheduler
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


class TestExemptions(base.FakeDriverCase):
    POLICY = POLICY

    def boots(self, image, *, flavor="1", **more):
        """Boot to ACTIVE; return what the events say of exemptions."""
        body = self.wish(image, flavorRef=flavor)
        response = self.call("POST", "/v2.1/servers", body, **more)
        self.assertEqual(202, response.status_int, response.text)
        self.wait(response.json["server"]["id"], "ACTIVE")

    def refused(self, image, *, flavor="1", **more):
        """Boot; check that the API gate refuses; return why."""
        body = self.wish(image, flavorRef=flavor)
        response = self.call("POST", "/v2.1/servers", body, **more)
        self.assertEqual(403, response.status_int, response.text)
        return base.text(response)

    def test_project(self):
        image = self.image(**helpers.IDE)
        self.refused(image)
        self.boots(image, project=PROJECT)

    def test_flavor_by_id(self):
        image = self.image(**helpers.IDE)
        self.refused(image)
        self.boots(image, flavor="2")

    def test_flavor_by_name(self):
        """Flavor 3 is m1.medium in Nova's fixture."""
        image = self.image(**helpers.IDE)
        self.refused(image)
        self.boots(image, flavor="3")

    def test_flavor_as_a_link(self):
        """Nova takes the last part of a link as the flavor."""
        image = self.image(**helpers.IDE)
        self.refused(image, flavor="http://nova.example/flavors/1")
        self.boots(image, flavor="http://nova.example/flavors/2")

    def test_role(self):
        image = self.image(**helpers.IDE)
        self.refused(image)
        for role in ("museum", "Museum", "MUSEUM"):
            self.boots(image, roles=(*helpers.MEMBER, role))

    def test_an_exemption_lifts_only_what_it_names(self):
        image = self.image(hw_disk_bus="ide", hw_vif_model="e1000")

        why = self.refused(image, project=PROJECT)

        self.assertIn("e1000", why)
        self.assertNotIn("'ide'", why)

    def test_an_exemption_that_is_over_is_void(self):
        image = self.image(**helpers.IDE)

        self.assertIn("'ide'", self.refused(image, project=FORMER))


class TestExemptionsAtTheScheduler(TestExemptions):
    """The same, where the scheduler's gate is the only one."""

    API_GATE = None

    def refused(self, image, *, flavor="1", **more):
        body = self.wish(image, flavorRef=flavor)
        response = self.call("POST", "/v2.1/servers", body, **more)
        self.assertEqual(202, response.status_int, response.text)
        fault = self.fault(response.json["server"]["id"])
        self.assertIn("No valid host was found. hw_", fault)
        return fault.replace("=ide", "='ide'")


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
HELD = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}
#: image_id as stored in Cinder, and whether the exemption applies.
MADE_OF = (
    ({"image_id": OLD}, True),
    ({"image_id": OTHER}, False),
    ({"image_id": ""}, False),
    ({}, False),
)


class TestByImageOfAVolume(base.FakeDriverCase):
    """An exemption by image applies to volumes that were made from it."""

    POLICY = BY_IMAGE.format(project=PROJECT_ID, image=OLD)

    def root_of(self, kind, metadata):
        """Return a root disk on a volume or on a volume snapshot."""
        volume = self.volume(**metadata)
        if kind == "volume":
            return self.disk(volume)
        return self.disk(self.snapshot(volume), source_type="snapshot")

    def outcome(self, root):
        """Boot; return whether the server becomes active."""
        response = self.boot(None, block_device_mapping_v2=[root])
        if response.status_int == 403:
            return False
        self.assertEqual(202, response.status_int, response.text)
        self.wait(response.json["server"]["id"], "ACTIVE")
        return True

    def test_a_boot(self):
        for kind in ("volume", "snapshot"):
            for made_of, held in MADE_OF:
                with self.subTest(kind=kind, made_of=made_of):
                    root = self.root_of(kind, {**HELD, **made_of})
                    self.assertEqual(held, self.outcome(root))

    def test_what_it_does_not_name(self):
        volume = {"image_id": OLD, "hw_disk_bus": "sata"}
        self.assertFalse(self.outcome(self.root_of("volume", volume)))

    def test_a_volume_is_no_image(self):
        root = self.root_of("volume", HELD)
        text = BY_IMAGE.format(project=PROJECT_ID, image=root["uuid"])
        self.write_policy(text)
        self.assertFalse(self.outcome(root))

    def test_of_another_project(self):
        self.write_policy(BY_IMAGE.format(project=PROJECT, image=OLD))
        root = self.root_of("volume", {**HELD, "image_id": OLD})
        self.assertFalse(self.outcome(root))


class TestByImageOfAVolumeAtTheScheduler(TestByImageOfAVolume):
    """RequestSpec.image has no image_id, so the filter asks Cinder."""

    API_GATE = None

    def outcome(self, root):
        response = self.boot(None, block_device_mapping_v2=[root])
        self.assertEqual(202, response.status_int, response.text)
        server = response.json["server"]["id"]
        status = self.rests(server)
        if status == "ERROR":
            self.assertIn("hw_disk_bus", self.fault(server))
        return status == "ACTIVE"

    def rests(self, server):
        """Wait until a server leaves status BUILD; return its new status."""
        self.settle()
        for _ in range(helpers.WAIT_SECONDS * helpers.POLLS_A_SECOND):
            status = self.admin_api.get_server(server)["status"]
            if status != "BUILD":
                return status
            time.sleep(1 / helpers.POLLS_A_SECOND)
        raise AssertionError(f"{server} is not built")

    def test_cinder_does_not_answer(self):
        root = self.root_of("volume", {**HELD, "image_id": OLD})
        failed = exception.CinderConnectionFailed(reason="away")
        with mock.patch.object(
            scheduler.nova_volumes, "image_of", side_effect=failed
        ):
            self.assertFalse(self.outcome(root))

    def test_cinder_is_asked_for_such_a_project_only(self):
        self.write_policy(BY_IMAGE.format(project=PROJECT, image=OLD))
        with mock.patch.object(scheduler.nova_volumes, "image_of") as asked:
            self.outcome(self.root_of("volume", {"image_id": OLD}))
        asked.assert_not_called()


class TestByImageOfAServer(verdicts.VerdictCase):
    """The gate's answer for a server that was booted from a volume."""

    POLICY = BY_IMAGE.format(project=PROJECT_ID, image=OLD) + (
        "moves: {guest_devices: enforce}\n"
    )

    def on_a_volume(self, made_of):
        volume = self.volume(**HELD, **made_of)
        root = {
            "source_type": "volume",
            "destination_type": "volume",
            "boot_index": 0,
            "volume_id": volume,
        }
        return self.server("", root, **HELD)

    def attach(self, server):
        """Attach a network."""
        path = f"/v2.1/servers/{server}/os-interface"
        body = {
            "interfaceAttachment": {"net_id": self.neutron.network_1["id"]}
        }
        return self.call("POST", path, body)

    def attach_volume(self, server):
        path = f"/v2.1/servers/{server}/os-volume_attachments"
        body = {"volumeAttachment": {"volumeId": self.volume()}}
        return self.call("POST", path, body)

    def resize(self, server):
        return self.act(server, {"resize": {"flavorRef": "2"}})

    def snapshot_of(self, server):
        metadata = {"hw_disk_bus": "ide"}
        body = {"createImage": {"name": "x", "metadata": metadata}}
        return self.act(server, body)

    def test_each_operation(self):
        # What is let through waits for a compute that is not there.
        self.flags(rpc_response_timeout=1, long_rpc_timeout=1)
        for act in (
            self.attach,
            self.attach_volume,
            self.resize,
            self.snapshot_of,
        ):
            for made_of, held in MADE_OF:
                with self.subTest(act=act.__name__, made_of=made_of):
                    response = act(self.on_a_volume(made_of))
                    refused = response.status_int == 403
                    self.assertEqual(held, not refused, response.text)
