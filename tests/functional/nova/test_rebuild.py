# SPDX-License-Identifier: Apache-2.0
"""Rebuild: the operation that only the API can refuse without harm."""

import json

from nova import context, objects

from tests.functional.nova import base, helpers, verdicts

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
            [(each["operation"], each["outcome"]) for each in self.events],
        )

    def test_a_clean_image_is_let_through(self):
        image = self.image(**helpers.CLEAN)

        self.assertEqual(202, self.rebuild(image).status_int)

        self.settle()
        self.assertEqual(image, self.instance(self.server).image_ref)

    def test_the_same_image_with_a_new_property_is_refused(self):
        """Nova reads the image again and calls no scheduler."""
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

    def test_another_image_with_the_same_device_is_refused(self):
        """The scheduler would: it cannot know what the server had."""
        # given a server with e1000 that is older than the policy
        self.write_policy("enabled: false\n")
        self.server = self.active(self.image(hw_vif_model="e1000"))
        self.write_policy("")
        before = self.facts()

        # when it is rebuilt from another image that asks for e1000
        other = self.image(hw_vif_model="e1000", hw_video_model="cirrus")
        response = self.rebuild(other)

        # then it is refused where that does no harm
        self.assertEqual(403, response.status_int)
        self.assertIn("hw_video_model='cirrus'", base.text(response))
        self.assertIn("hw_vif_model='e1000'", base.text(response))
        self.assertEqual(before, self.facts())

    def test_a_config_drive_that_the_server_keeps_strands_nobody(self):
        """No scheduler sees it, so that it stays a move's."""
        # given a server with an IDE config drive from before the policy
        self.write_policy("enabled: false\n")
        pc = {**helpers.CLEAN, "hw_machine_type": "pc"}
        self.server = self.active(self.image(**pc), config_drive=True)
        self.write_policy("")

        # when it is rebuilt from another image of machine type pc
        response = self.rebuild(self.image(**pc))

        # then it is, with a warning
        self.assertEqual(202, response.status_int, response.text)
        self.wait(self.server, "ACTIVE")
        judged = [each for each in self.events if each["gate"] == "nova-api"]
        self.assertEqual("warn", judged[-1]["outcome"])
        self.assertIn("guest_devices.cdrom_bus", judged[-1]["rules"])


class TestFilterAlone(Rebuild):
    """Why the API gate exists."""

    API_GATE = None

    def test_a_refused_rebuild_ends_in_error_with_the_new_images_devices(self):
        # given a cloud with the filter and without the API gate
        # when a server is rebuilt from an old image
        response = self.rebuild(self.image(**OLD))
        self.assertEqual(202, response.status_int, response.text)

        # then the filter speaks, and its owner reads the reason
        self.assertIn("hw_disk_bus=ide", self.fault(self.server))

        # but the server is in ERROR, on its old image, with the refused
        # properties in its stored metadata: a hard reboot would apply them
        state, image, metadata, _ = self.facts()
        self.assertEqual(("error", self.clean), (state, image))
        self.assertEqual("e1000", metadata["image_hw_vif_model"])


class TestOwnImage(verdicts.VerdictCase):
    """A server that is older than the policy, rebuilt with its own image."""

    def test_nothing_is_new_to_it(self):
        image, other = (self.image(**OLD) for _ in range(2))
        volume = self.volume(**OLD, image_id=image)
        root = {
            "source_type": "volume",
            "destination_type": "volume",
            "volume_id": volume,
            "boot_index": 0,
            "device_name": "/dev/hda",
            "connection_info": json.dumps({"serial": volume}),
        }
        for server in (
            self.server(image, **OLD),
            self.server("", root, **OLD),
        ):
            for name, status in ((other, 403), (image, 202)):
                with self.subTest(server=server, image=name):
                    action = {"rebuild": {"imageRef": name}}
                    answer = self.act(server, action)
                    self.assertEqual(status, answer.status_int, answer.text)
