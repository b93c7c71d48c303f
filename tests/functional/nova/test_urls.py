# SPDX-License-Identifier: Apache-2.0
"""Bodies of requests that create a server.

Paths are in tests/functional/bypass/test_bypass_paths.
"""

import io
import json

from nova_vhard.status import probe
from tests.functional.nova import base, helpers, verdicts

#: Types and encodings of a body that are not those of JSON in UTF-8.
TYPES = (
    "",
    "text/plain",
    "application/xml",
    "application/json; charset=utf-16",
    "application/vnd.openstack.compute+json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
)
SERVERS = "/v2.1/servers"


class TestUrls(verdicts.VerdictCase):
    def setUp(self):
        super().setUp()
        self.old = self.image(**helpers.IDE)
        self.clean = self.image(**helpers.CLEAN)

    def test_of_two_equal_keys_the_last_counts(self):
        whole = json.dumps(self.wish("FIRST"))
        for first, second, status in (
            (self.clean, self.old, 403),
            (self.old, self.clean, 202),
        ):
            pair = f'"imageRef": "{first}", "imageRef": "{second}"'
            body = whole.replace('"imageRef": "FIRST"', pair).encode()
            response = self.call("POST", SERVERS, body)
            self.assertEqual(status, response.status_int)

    def test_a_chunked_body_gets_the_answer_that_nova_gives(self):
        plain = self.without_gate()
        for image, apps in ((self.old, [None]), (self.clean, [None, plain])):
            body = json.dumps(self.wish(image)).encode()
            statuses = set()
            for app in apps:
                chunked = {
                    "HTTP_TRANSFER_ENCODING": "chunked",
                    # It has no length.
                    "CONTENT_LENGTH": "",
                    "wsgi.input": io.BytesIO(body),
                    "wsgi.input_terminated": True,
                }
                response = self.call(
                    "POST", SERVERS, body, app=app, environ=chunked
                )
                statuses.add(response.status_int)
            self.assertEqual(1, len(statuses), statuses)
            self.assertFalse(image == self.old and statuses & {202, 500})

    def test_other_bodies_make_no_server(self):
        body = json.dumps(self.wish(self.old))
        for kind in TYPES:
            response = self.call(
                "POST", SERVERS, body.encode(), content_type=kind
            )
            self.assertIn(response.status_int // 100, (3, 4), kind)
        for encoding in ("utf-8-sig", "utf-16", "utf-32"):
            # Nova answers 500 to some of them.
            self.call("POST", SERVERS, body.encode(encoding))
        # An id in capitals is not another image.
        for spelled in (self.old.upper(), self.old.replace("-", "")):
            self.assertIn(self.boot(spelled).status_int, (400, 403))
        self.assertEqual([], self.servers())

    def test_the_probe_of_each_pipeline(self):
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
