# SPDX-License-Identifier: Apache-2.0
"""Requests of nova-vhard-status probe, to Nova with and without the gate."""

from nova_vhard.status import probe
from tests.functional.nova import base, verdicts


class TestProbe(verdicts.VerdictCase):
    def test_each_pipeline_refuses_it_in_the_words_that_count(self):
        """Without the gate Nova refuses it, and nothing is left behind."""
        body = probe._server_body("ide")
        for app, status in ((None, 403), (self.without_gate(), 400)):
            for root in ("/v2.1", "/v2"):
                response = self.call(
                    "POST", f"{root}/servers", body, version=None, app=app
                )
                self.assertEqual(status, response.status_int, root)
                found = probe._REFUSES in base.text(response)
                self.assertEqual(status == 403, found)
        self.assertEqual([], self.servers())
