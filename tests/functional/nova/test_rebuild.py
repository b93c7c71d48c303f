# SPDX-License-Identifier: Apache-2.0
"""Rebuild: the operation that only the API can refuse without harm."""

from nova import context, objects

from tests.functional.nova import base, helpers

OLD = {"hw_vif_model": "e1000", "hw_disk_bus": "ide"}


class Rebuild(base.LibvirtCase):
    def setUp(self):
        super().setUp()
        self.clean = self.image(**helpers.CLEAN)
        self.server = self.active(self.clean)
        self.events = self.decisions()

    def rebuild(self, image, **more):
        return self.act(self.server, {"rebuild": {"imageRef": image, **more}})

    def facts(self):
        """Return what a rebuild would change, as Nova's databases say."""
        instance = self.instance(self.server)
        spec = objects.RequestSpec.get_by_instance_uuid(
            context.get_admin_context(), self.server
        )
        return (
            instance.vm_state,
            instance.image_ref,
            dict(instance.system_metadata),
            spec.image.id,
        )


class TestRefusedAtTheApi(Rebuild):
    def test_the_server_is_as_it_was(self):
        # given a running server
        before = self.facts()
        domain = self.domain_xml(self.server)

        # when its owner asks to rebuild it from an old image
        response = self.rebuild(self.image(**OLD))

        # then the answer is a refusal in Nova's shape
        self.assertEqual(403, response.status_int)
        self.assertEqual(["forbidden"], list(response.json))
        self.assertIn("hw_vif_model='e1000'", base.text(response))
        self.assertIn("hw_disk_bus='ide'", base.text(response))

        # and nothing about the server has changed
        self.assertEqual(before, self.facts())
        self.assertEqual("ACTIVE", self.wait(self.server, "ACTIVE")["status"])
        self.assertEqual(domain, self.domain_xml(self.server))
        self.assertEqual(
            [("rebuild", "refuse")],
            [(one["operation"], one["outcome"]) for one in self.events],
        )

    def test_a_clean_image_is_let_through(self):
        image = self.image(**helpers.CLEAN)

        self.assertEqual(202, self.rebuild(image).status_int)

        self.settle()
        self.assertEqual(image, self.instance(self.server).image_ref)

    def test_the_same_image_with_a_new_property_is_refused(self):
        """Nova reads the image anew, and asks no scheduler."""
        self.glance.update(None, self.clean, {"properties": dict(OLD)})

        self.assertEqual(403, self.rebuild(self.clean).status_int)

    def test_what_the_server_had_already_is_no_new_wish(self):
        # given a server with e1000 that is older than the policy
        self.write_policy("enabled: false\n")
        image = self.image(hw_vif_model="e1000")
        self.server = self.active(image)
        self.write_policy("")

        # when it is rebuilt from its own image, then that is a move's fault
        self.assertEqual(202, self.rebuild(image).status_int)
        self.wait(self.server, "ACTIVE")
        self.assertEqual("warn", self.events[-1]["outcome"])

        # but what only the new image has is refused
        worse = self.image(hw_vif_model="e1000", hw_video_model="cirrus")
        response = self.rebuild(worse)
        self.assertEqual(403, response.status_int)
        self.assertIn("hw_video_model='cirrus'", base.text(response))
        self.assertNotIn("e1000", base.text(response))


class TestFilterAlone(Rebuild):
    """Why the API gate exists."""

    API_GATE = None

    def test_a_refused_rebuild_ends_in_error_with_the_new_images_devices(self):
        # given a cloud with the filter and without the API gate
        # when a server is rebuilt from an old image
        self.assertEqual(202, self.rebuild(self.image(**OLD)).status_int)

        # then the filter speaks, and its owner reads the reason
        self.assertIn("hw_disk_bus=ide", self.fault(self.server))

        # but the server is in ERROR, on its old image, with the refused
        # properties in its stored metadata: a hard reboot would apply them
        state, image, metadata, _ = self.facts()
        self.assertEqual(("error", self.clean), (state, image))
        self.assertEqual("e1000", metadata["image_hw_vif_model"])
