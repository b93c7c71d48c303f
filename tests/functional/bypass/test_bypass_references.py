# SPDX-License-Identifier: Apache-2.0
"""Row 28: a stored reference to an image that no gate can look up."""

import uuid

from tests.functional.bypass import foreign, ways
from tests.functional.bypass.ways import IDE, STABLE, New
from tests.functional.nova import base, helpers, verdicts

NAME = "base_image_ref"
TOKEN = "the-token-of-the-user"
OLD_API = "2.38"
URL = "http://image.example/v2/images/{id}"
#: What is no UUID. Nova goes to the network for whatever has a slash.
TEXTS = (
    URL,
    "//image.example/v2/images/{id}",
    "../images/{id}",
    "{id}/",
    "{id}?",
    "{id} ",
    "{id}\n",
    "x",
)
REFERENCES = tuple(text.format(id=uuid.UUID(int=7)) for text in TEXTS)


class Rescues(ways.Ways):
    """Nova follows the reference that it keeps with a server."""

    def setUp(self):
        super().setUp()
        self.foreign = self.useFixture(
            foreign.ForeignGlance(hw_disk_bus="ide", hw_vif_model="e1000")
        )

    def rescued(self, server, name, **more):
        """Boot a server, and rescue it by what Nova keeps of it."""
        server = self.booted(server, **more)
        response = self.act(server, {"rescue": None}, token=TOKEN)
        self.ends(response, IDE, names=[name])

    def test_bypass_28_url_in_an_image(self):
        image = New("image", {NAME: self.foreign.url})
        self.rescued({"imageRef": image}, NAME, old=True)
        self.assertEqual(not self.GUARDED, TOKEN in self.foreign.tokens)

    def test_bypass_28_url_in_the_metadata_of_a_volume(self):
        """Nova rescues a server on a volume that asks for a stable rescue."""
        server = ways.on_volume({NAME: self.foreign.url, **STABLE})
        self.rescued(server, NAME, old=True)
        self.assertEqual(not self.GUARDED, TOKEN in self.foreign.tokens)

    def test_bypass_28_uuid_of_an_image_that_is_refused(self):
        """A reference that can be looked up is looked up."""
        image = New("image", {NAME: self.image(**helpers.IDE)})
        self.rescued({"imageRef": image}, "hw_disk_bus")


(TestGuarded,) = ways.cases(Rescues, base.LibvirtCase, ways.Guarded)


class Stored(ways.Ways):
    """The reference is what is left in Nova's database, or in Glance."""

    def refused(self, response, reference=""):
        """Check that a gate refuses, and says for which property.

        :param reference: what no image has then
        """
        if self.GUARDED:
            assert response.status_int == 403, response.text
            assert NAME in base.text(response), response.text
        else:
            assert response.status_int in (200, 202), response.text
        if reference:
            result = [
                image["properties"].get(NAME)
                for image in self.glance.images.values()
            ]
            self.assertEqual(not self.GUARDED, reference in result)

    def test_bypass_28_any_text_but_a_uuid(self):
        image = self.image()
        for reference in REFERENCES:
            server = self.server(image, base_image_ref=reference)
            self.refused(self.act(server, {"rescue": None}))

    def test_bypass_28_create_image_metadata(self):
        for reference in REFERENCES:
            server = self.server(self.image())
            metadata = {NAME: reference}
            action = {"createImage": {"name": "x", "metadata": metadata}}
            self.refused(self.act(server, action), reference)

    def test_bypass_28_create_backup_metadata(self):
        """The image is made by nova-compute, or here by nobody."""
        server = self.server(self.image())
        action = {
            "createBackup": {
                "name": "a backup",
                "backup_type": "daily",
                "rotation": 100,
                "metadata": {NAME: REFERENCES[0]},
            }
        }
        self.refused(self.act(server, action), REFERENCES[0])

    def test_bypass_28_image_metadata_proxy(self):
        change = {NAME: REFERENCES[0]}
        for method, path, body in (
            ("POST", "", {"metadata": change}),
            ("PUT", "", {"metadata": change}),
            ("PUT", f"/{NAME}", {"meta": change}),
        ):
            path = f"/v2.1/images/{self.image()}/metadata{path}"
            response = self.call(method, path, body, version=OLD_API)
            self.refused(response, REFERENCES[0])
            self.glance.images.clear()


(TestGuardedStored,) = ways.cases(Stored, verdicts.VerdictCase, ways.Guarded)
