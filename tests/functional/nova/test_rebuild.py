# SPDX-License-Identifier: Apache-2.0
"""Rebuild: the operation that only the API can refuse without harm."""

import json

from nova import context, objects

from tests.functional.nova import base, helpers, verdicts

CARD = {"hw_vif_model": "e1000"}
OLD = {**CARD, "hw_disk_bus": "ide"}
CIRRUS = {**CARD, "hw_video_model": "cirrus"}
#: Properties that the server was made with, those that its image has today,
#: those of another image, if any, and the answer.
CASES = {
    "another clean one": (helpers.CLEAN, helpers.CLEAN, helpers.CLEAN, []),
    "another old one": (
        helpers.CLEAN,
        helpers.CLEAN,
        OLD,
        ["hw_vif_model='e1000'", "hw_disk_bus='ide'"],
    ),
    # Nova reads the image again and calls no scheduler.
    "changed": (helpers.CLEAN, OLD, None, ["hw_disk_bus='ide'"]),
    # The server does not get anything new.
    "the same": (CARD, CARD, None, []),
    # The scheduler would refuse it: it cannot know what the server had.
    "another like it": (
        CARD,
        CARD,
        CIRRUS,
        ["hw_video_model='cirrus'", "hw_vif_model='e1000'"],
    ),
}


class TestRebuild(verdicts.VerdictCase):
    def facts(self, server):
        """Return what a rebuild would change, as Nova's databases say."""
        instance = self.instance(server)
        spec = objects.RequestSpec.get_by_instance_uuid(
            context.get_admin_context(), server
        )
        return (
            instance.vm_state,
            instance.image_ref,
            dict(instance.system_metadata),
            spec.image.obj_to_primitive(),
        )

    def rebuilt(self, server, image, *names):
        """Rebuild; check the named devices, and that nothing has changed."""
        before = self.facts(server)
        response = self.act(server, {"rebuild": {"imageRef": image}})
        status = 403 if names else 202
        self.assertEqual(status, response.status_int, response.text)
        if names:
            self.assertEqual(["forbidden"], list(response.json))
            self.assertEqual(before, self.facts(server))
        for name in names:
            self.assertIn(name, base.text(response))

    def test_each_image(self):
        events = self.decisions()
        for name, (had, now, other, names) in CASES.items():
            with self.subTest(name):
                own = self.image(**now)
                image = own if other is None else self.image(**other)
                events.clear()
                self.rebuilt(self.server(own, **had), image, *names)
                (event,) = events
                kept = "warn" if name == "the same" else "allow"
                self.assertEqual("rebuild", event["operation"])
                self.assertEqual("refuse" if names else kept, event["outcome"])

    def test_nothing_is_new_to_a_server_that_is_older_than_the_policy(self):
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
            with self.subTest(server):
                self.rebuilt(server, other, "hw_vif_model='e1000'")
                self.rebuilt(server, image)
