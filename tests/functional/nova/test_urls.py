# SPDX-License-Identifier: Apache-2.0
"""Every URL and every body by which Nova's API can be asked for a server."""

import io
import json

import webob
from nova.tests.fixtures import PROJECT_ID

from tests.functional.nova import base, helpers

ROOTS = (
    "/v2.1",
    f"/v2.1/{PROJECT_ID}",
    "/v2",
    f"/v2/{PROJECT_ID}",
    "/v2.1/",
    f"/v2.1//{PROJECT_ID}//",
    "/v2///",
)


class TestUrls(base.FakeDriverCase):
    def setUp(self):
        super().setUp()
        self.old = self.image(**helpers.IDE)

    def post(self, path, body, version=None, **more):
        return self.call("POST", path, body, version=version, **more)

    def boot_body(self, image):
        """Return a body for any microversion."""
        server = {"name": "x", "imageRef": image, "flavorRef": "1"}
        return {"server": server}

    def test_boots_are_judged_at_every_root(self):
        for root in ROOTS:
            response = self.post(f"{root}/servers", self.boot_body(self.old))
            self.assertEqual(403, response.status_int, root)
            self.assertIn("'ide'", base.text(response))
        self.assertEqual([], self.servers())

    def test_a_clean_image_boots_at_every_root(self):
        clean = self.image(**helpers.CLEAN)
        for root in ROOTS:
            response = self.post(f"{root}/servers", self.boot_body(clean))
            self.assertEqual(202, response.status_int, root)
            server = response.json["server"]["id"]
            self.wait(server, "ACTIVE")

    def test_rebuilds_are_judged_at_every_root(self):
        server = self.active(self.image(**helpers.CLEAN))
        action = {"rebuild": {"imageRef": self.old}}
        for root in ROOTS:
            for path in (
                f"{root}/servers/{server}/action",
                f"{root}/servers//{server}///action",
            ):
                response = self.post(path, action)
                self.assertEqual(403, response.status_int, path)
                self.assertIn("'ide'", base.text(response))
        self.wait(server, "ACTIVE")

    def test_the_old_name_of_servers_is_judged(self):
        """os-volumes_boot is POST /servers by another name, up to 2.102."""
        for root in ROOTS:
            response = self.post(
                f"{root}/os-volumes_boot", self.boot_body(self.old)
            )
            self.assertEqual(403, response.status_int, root)
        self.assertEqual([], self.servers())

    def test_what_nova_does_not_know_makes_no_server(self):
        for path in (
            "/v2.1/servers/",
            "/v2.1/servers.json",
            "/v2.1/./servers",
            "/v2.1/x/../servers",
            "/v2.1/Servers",
            "/v2.1/servers%00",
            "/servers",
        ):
            response = self.post(path, self.boot_body(self.old))
            self.assertNotEqual(202, response.status_int, path)
            self.assertLess(response.status_int, 500, path)
        self.assertEqual([], self.servers())


class TestMethodOverride(base.FakeDriverCase):
    """Routes lets ``_method`` in the query string replace the method."""

    def test_it_is_refused_whatever_it_says(self):
        body = self.wish(self.image(**helpers.IDE))
        for method in ("GET", "PUT", "DELETE", "POST", "PATCH"):
            for query in (
                "_method=POST",
                "_method=post",
                "x=1&_method=POST",
                "_method=GET&_method=POST",
                # Routes looks for the name undecoded, and for the value
                # decoded: a value that only names it is enough
                "%5fmethod=POST&x=_method",
            ):
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
        self.assertEqual(200, plain.status_int)

        response = self.call("GET", path, version=None)

        self.assertEqual(400, response.status_int)
        self.assertIn("_method", base.text(response))

    def test_any_other_query_is_passed_on(self):
        response = self.call("GET", "/v2.1/servers?name=method&limit=1")
        self.assertEqual(200, response.status_int)


class TestBodies(base.FakeDriverCase):
    """The gate and Nova read the same body."""

    def setUp(self):
        super().setUp()
        self.old = self.image(**helpers.IDE)
        self.clean = self.image(**helpers.CLEAN)

    def twice(self, first, second):
        """Return a body that names two images; Nova takes the last."""
        whole = json.dumps(self.wish("FIRST"))
        pair = f'"imageRef": "{first}", "imageRef": "{second}"'
        return whole.replace('"imageRef": "FIRST"', pair).encode()

    def chunked(self, image):
        """Return a request whose length nobody has said."""
        body = json.dumps(self.wish(image)).encode()
        request = webob.Request.blank("/v2.1/servers", method="POST")
        request.headers["X-Auth-User"] = request.headers["X-User-Id"] = "fake"
        request.headers["X-Auth-Project-Id"] = PROJECT_ID
        request.headers["X-Roles"] = ",".join(helpers.MEMBER)
        request.headers["OpenStack-API-Version"] = "compute latest"
        request.headers["Transfer-Encoding"] = "chunked"
        request.environ.update(
            {
                "CONTENT_TYPE": "application/json",
                "wsgi.input": io.BytesIO(body),
                "wsgi.input_terminated": True,
            }
        )
        request.environ.pop("CONTENT_LENGTH", None)
        return request

    def test_of_two_equal_keys_the_last_counts(self):
        body = self.twice(self.clean, self.old)
        response = self.call("POST", "/v2.1/servers", body)
        self.assertEqual(403, response.status_int)

        body = self.twice(self.old, self.clean)
        response = self.call("POST", "/v2.1/servers", body)
        self.assertEqual(202, response.status_int)

    def test_a_chunked_body_is_judged(self):
        app = self.api_fixture.app()
        response = self.chunked(self.old).get_response(app)
        self.assertNotEqual(202, response.status_int)
        self.assertLess(response.status_int, 500)
        self.assertEqual([], self.servers())

    def test_a_chunked_body_gets_the_answer_that_nova_gives(self):
        alone = self.chunked(self.clean).get_response(self.without_gate())
        gated = self.chunked(self.clean).get_response(self.api_fixture.app())
        self.assertEqual(alone.status_int, gated.status_int)

    def test_the_content_type_does_not_matter(self):
        body = json.dumps(self.wish(self.old)).encode()
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
                "POST", "/v2.1/servers", body, content_type=content_type
            )
            self.assertNotEqual(202, response.status_int, content_type)
        self.assertEqual([], self.servers())

    def test_other_encodings_make_no_server(self):
        body = json.dumps(self.wish(self.old))
        for encoding in ("utf-8-sig", "utf-16", "utf-32"):
            self.call("POST", "/v2.1/servers", body.encode(encoding))
        self.assertEqual([], self.servers())

    def test_an_id_in_capitals_is_not_another_image(self):
        for spelled in (self.old.upper(), self.old.replace("-", "")):
            response = self.boot(spelled)
            self.assertNotEqual(202, response.status_int)
        self.assertEqual([], self.servers())
