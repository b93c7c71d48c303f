# SPDX-License-Identifier: Apache-2.0
"""The tests' own ground: where the gates sit, and what Nova does alone."""

from nova.api.openstack import wsgi

from tests.functional.nova import base, helpers
from tests.release import witness

IDE_ON_DISK = "<target dev='hda' bus='ide'/>"


class TestPlaceOfTheGate(base.FakeDriverCase):
    ONE_CLOUD = False
    API_GATE = witness.FACTORY
    FILTER = None

    def test_both_pipelines_reach_the_gate_with_a_context(self):
        for path, script in (("/v2.1", "/v2.1"), ("/v2", "/v2")):
            # given a filter in the gate's place
            witness.seen.clear()

            # when a user lists servers
            response = self.call("GET", f"{path}/servers", version=None)

            # then it has seen the request once, as its user, and knows of v2
            self.assertEqual(200, response.status_int)
            (environ,) = witness.seen
            self.assertEqual("fake", environ["nova.context"].user_id)
            self.assertEqual(script, environ["SCRIPT_NAME"])
            self.assertEqual("/servers", environ["PATH_INFO"])
            self.assertEqual(script == "/v2", wsgi.ENV_LEGACY_V2 in environ)


class TestNovaAlone(base.LibvirtCase):
    """Without the gates every refusal of the other tests is missing."""

    API_GATE = None
    FILTER = None

    def test_an_ide_image_gives_the_guest_an_ide_disk(self):
        # given an image that asks for ide, and a Nova as it ships
        image = self.image(**helpers.IDE)

        # when it is booted, then libvirt is told to give it an IDE disk
        self.assertIn(IDE_ON_DISK, self.domain_xml(self.active(image)))

    def test_a_rebuild_to_an_ide_image_is_accepted(self):
        server = self.active(self.image(**helpers.CLEAN))
        image = self.image(hw_vif_model="e1000")

        response = self.act(server, {"rebuild": {"imageRef": image}})

        self.assertEqual(202, response.status_int)
