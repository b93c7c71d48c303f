# SPDX-License-Identifier: Apache-2.0
"""A refusal of the Nova API that points at the page of its rule."""

from tests.functional.nova import base, helpers

PAGE = "https://docs.example/why"


class TestHelpUrl(base.FakeDriverCase):
    def test_refusal_ends_with_the_url_of_its_rule(self):
        server = {"name": "x", "flavorRef": "1"}
        body = {"server": {**server, "imageRef": self.image(**helpers.IDE)}}
        self.application = self.worker(help_url=PAGE)
        response = self.call("POST", "/v2.1/servers", body, version=None)
        self.assertEqual(403, response.status_int)
        self.assertTrue(
            base.text(response).endswith(
                f" See {PAGE}#rule-guest-devices-disk-bus"
            ),
            base.text(response),
        )
