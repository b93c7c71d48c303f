# SPDX-License-Identifier: Apache-2.0
"""Requests of nova-vhard-status probe, to Nova with and without the gate."""

from nova_vhard.status import probe
from tests.functional.nova import base

ROOTS = ("/v2.1", "/v2")


class TestWithTheGate(base.FakeDriverCase):
    def test_each_pipeline_refuses_it_in_the_words_that_count(self):
        for root in ROOTS:
            body = probe._server_body("ide")
            response = self.call("POST", f"{root}/servers", body, version=None)
            self.assertEqual(403, response.status_int, root)
            self.assertIn(probe._REFUSES, base.text(response))


class TestWithoutTheGate(base.FakeDriverCase):
    API_GATE = None

    def test_nova_refuses_it_and_nothing_is_left_behind(self):
        for root in ROOTS:
            body = probe._server_body("ide")
            response = self.call("POST", f"{root}/servers", body, version=None)
            self.assertEqual(400, response.status_int, root)
            self.assertNotIn(probe._REFUSES, base.text(response))
        self.assertEqual([], self.servers())
