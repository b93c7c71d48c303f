# SPDX-License-Identifier: Apache-2.0
"""Every URL and every body by which Nova's API can be asked for a server."""

import io
import json

import webob
from nova.tests.fixtures import PROJECT_ID

from tests.functional.nova import base, helpers, verdicts

ROOTS = (
    "/v2.1",
    f"/v2.1/{PROJECT_ID}",
    "/v2",
    f"/v2/{PROJECT_ID}",
    "/v2.1/",
    f"/v2.1//{PROJECT_ID}//",
    "/v2///",
)
OVERRIDES = (
    "_method=POST",
    "_method=post",
    "x=1&_method=POST",
    "_method=GET&_method=POST",
    # Routes looks for the name undecoded, and for the value decoded: a value
    # that only names it is enough.
    "%5fmethod=POST&x=_method",
)


class Images(verdicts.VerdictCase):
    def setUp(self):
        super().setUp()
        self.old = self.image(**helpers.IDE)
        self.clean = self.image(**helpers.CLEAN)

    def is_no_server(self, response, detail):
        """Check that Nova has answered, and made no server."""
        self.assertNotEqual(202, response.status_int, detail)
        self.assertLess(response.status_int, 500, detail)
        self.assertEqual([], self.servers())


class TestUrls(Images):
    def post(self, path, image):
        """Boot by a body for any microversion."""
        server = {"name": "x", "imageRef": image, "flavorRef": "1"}
        return self.call("POST", path, {"server": server}, version=None)

    def test_every_root(self):
        """os-volumes_boot is POST /servers by another name, up to 2.102."""
        server = self.server(self.clean)
        action = {"rebuild": {"imageRef": self.old}}
        before = len(self.servers())
        for root in ROOTS:
            for response in (
                self.post(f"{root}/servers", self.old),
                self.post(f"{root}/os-volumes_boot", self.old),
                *(
                    self.call("POST", f"{root}{path}", action, version=None)
                    for path in (
                        f"/servers/{server}/action",
                        f"/servers//{server}///action",
                    )
                ),
            ):
                self.assertEqual(403, response.status_int, root)
                self.assertIn("'ide'", base.text(response))
        self.assertEqual(before, len(self.servers()))
        for root in ROOTS:
            response = self.post(f"{root}/servers", self.clean)
            self.assertEqual("", self.filtered(response))


class TestMethodOverride(Images):
    """Routes lets ``_method`` in the query string replace the method."""

    def test_it_is_refused_whatever_it_says(self):
        body = self.wish(self.old)
        for method in ("GET", "PUT", "DELETE", "POST", "PATCH"):
            for query in OVERRIDES:
                for root in ("/v2.1", "/v2", "/v2.1//"):
                    response = self.call(
                        method, f"{root}/servers?{query}", body
                    )
                    self.assertEqual(400, response.status_int, query)
                    self.assertEqual(["badRequest"], list(response.json))
        self.assertEqual([], self.servers())

    def test_on_any_path(self):
        path = "/v2.1/flavors/1?_method=GET"
        plain = self.call("GET", path, version=None, app=self.without_gate())
        response = self.call("GET", path, version=None)
        statuses = (plain.status_int, response.status_int)
        self.assertEqual((200, 400), statuses)
        self.assertIn("_method", base.text(response))

    def test_any_other_query_is_passed_on(self):
        response = self.call("GET", "/v2.1/servers?name=method&limit=1")
        self.assertEqual(200, response.status_int)


class TestBodies(Images):
    """The gate and Nova read the same body."""

    def chunked(self, image, app):
        """Send a request without a Content-Length."""
        request = webob.Request.blank("/v2.1/servers", method="POST")
        request.headers.update(
            {
                "X-Auth-User": "fake",
                "X-User-Id": "fake",
                "X-Auth-Project-Id": PROJECT_ID,
                "X-Roles": ",".join(helpers.MEMBER),
                "OpenStack-API-Version": "compute latest",
                "Transfer-Encoding": "chunked",
            }
        )
        body = json.dumps(self.wish(image)).encode()
        request.environ.update(
            {
                "CONTENT_TYPE": "application/json",
                "wsgi.input": io.BytesIO(body),
                "wsgi.input_terminated": True,
            }
        )
        request.environ.pop("CONTENT_LENGTH", None)
        return request.get_response(app)

    def test_of_two_equal_keys_the_last_counts(self):
        whole = json.dumps(self.wish("FIRST"))
        for first, second, status in (
            (self.clean, self.old, 403),
            (self.old, self.clean, 202),
        ):
            pair = f'"imageRef": "{first}", "imageRef": "{second}"'
            body = whole.replace('"imageRef": "FIRST"', pair).encode()
            response = self.call("POST", "/v2.1/servers", body)
            self.assertEqual(status, response.status_int)

    def test_a_chunked_body(self):
        """It gets the answer that Nova gives."""
        gated = self.api_fixture.app()
        self.is_no_server(self.chunked(self.old, gated), "chunked")
        response = self.chunked(self.clean, gated)
        alone = self.chunked(self.clean, self.without_gate())
        self.assertEqual(alone.status_int, response.status_int)

    def test_other_types_and_encodings_make_no_server(self):
        body = json.dumps(self.wish(self.old))
        for content_type in (
            "",
            "text/plain",
            "application/xml",
            "application/json; charset=utf-16",
            "application/vnd.openstack.compute+json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
        ):
            response = self.call(
                "POST",
                "/v2.1/servers",
                body.encode(),
                content_type=content_type,
            )
            self.is_no_server(response, content_type)
        for encoding in ("utf-8-sig", "utf-16", "utf-32"):
            # Nova answers 500 to some of them.
            self.call("POST", "/v2.1/servers", body.encode(encoding))
        self.assertEqual([], self.servers())

    def test_an_id_in_capitals_is_not_another_image(self):
        for spelled in (self.old.upper(), self.old.replace("-", "")):
            self.is_no_server(self.boot(spelled), spelled)
