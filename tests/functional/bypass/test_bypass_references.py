# SPDX-License-Identifier: Apache-2.0
"""Row 28: a stored reference to an image that no gate can look up."""

import uuid

import fixtures

from tests.functional.bypass import ways
from tests.functional.bypass.ways import IDE, STABLE, New
from tests.functional.nova import base, helpers, verdicts

NAME = "base_image_ref"
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
        # an image service that Nova would open with the user's token
        self.url = URL.format(
            id=self.image(hw_disk_bus="ide", hw_vif_model="e1000")
        )
        self.opened = []
        self.stub_out("nova.image.glance.get_remote_image_service", self.open)
        # Nova's fixture turns a warning about such an id into an error.
        tolerant = {"action": "ignore", "message": ".*invalid UUID"}
        self.useFixture(fixtures.WarningsFilter([tolerant]))

    def open(self, _context, image):
        """Return this image service for any reference."""
        self.opened.append(image)
        return self.glance, image.rpartition("/")[2]

    def rescued(self, server, name, **more):
        """Boot a server, and rescue it by what Nova keeps of it."""
        server = self.booted(server, **more)
        self.ends(self.act(server, {"rescue": None}), IDE, names=[name])

    def test_bypass_28_url_in_an_image(self):
        server = {"imageRef": New("image", {NAME: self.url})}
        self.rescued(server, NAME, old=True)
        self.assertEqual(not self.GUARDED, self.url in self.opened)

    def test_bypass_28_url_in_the_metadata_of_a_volume(self):
        """Nova rescues a server on a volume that asks for a stable rescue."""
        server = ways.on_volume({NAME: self.url, **STABLE})
        self.rescued(server, NAME, old=True)
        self.assertEqual(not self.GUARDED, self.url in self.opened)

    def test_bypass_28_uuid_of_an_image_that_is_refused(self):
        """A reference that can be looked up is looked up."""
        image = New("image", {NAME: self.image(**helpers.IDE)})
        self.rescued({"imageRef": image}, "hw_disk_bus")


TestGuarded, TestAsked = ways.asked(Rescues, ways.Asked)


class Stored(ways.Ways):
    """Requests that leave a reference in Nova's database.

    For references in Glance, see test_bypass_proxies.py.
    """

    def test_bypass_28_any_text_but_a_uuid(self):
        image = self.image()
        for reference in REFERENCES:
            server = self.server(image, base_image_ref=reference)
            response = self.act(server, {"rescue": None})
            status = 403 if self.GUARDED else 200
            self.assertEqual(status, response.status_int, response.text)
            assert not self.GUARDED or NAME in base.text(response)


(TestGuardedStored,) = ways.cases(Stored, verdicts.VerdictCase, ways.Guarded)
