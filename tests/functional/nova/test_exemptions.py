# SPDX-License-Identifier: Apache-2.0
"""Exemptions, as both of Nova's gates apply them."""

from tests.functional.nova import base, helpers

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
    ONE_CLOUD = True
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
