# SPDX-License-Identifier: Apache-2.0
"""Rows 22 and 32 at Nova: other URLs, and paths that look like others."""

from nova.tests.fixtures import PROJECT_ID

from tests.functional.bypass import ways
from tests.functional.bypass.ways import CIRRUS, IDE
from tests.functional.nova import helpers, verdicts

OLD_API = "2.38"
#: Both pipelines, with a project and without.
ROOTS = (
    "/v2.1",
    f"/v2.1/{PROJECT_ID}",
    "/v2",
    f"/v2/{PROJECT_ID}",
    "/v2.1/",
    f"/v2.1//{PROJECT_ID}//",
    "/v2///",
)
#: What Nova takes for POST /servers.
SERVERS = (
    "/v2.1/servers%0a",
    "/v2.1//servers",
    "//v2.1/%73ervers",
    f"/v2.1/{PROJECT_ID}//servers%0a",
    "/v2.1/servers?%0a",
    "/v2/servers%0a",
    f"/v2//{PROJECT_ID}/servers",
)
#: The content type may contain the version of the API.
VERSION_IN_TYPE = 'application/json; version="2.1/x"'
#: What is nothing to Nova, or another thing.
NOTHING = {
    "/v2.1/servers/": 404,
    "/v2.1/servers//": 404,
    "/v2.1/servers%2f": 404,
    "/v2.1/servers%0d": 404,
    "/v2.1/servers%0d%0a": 404,
    "/v2.1/servers%0a%0a": 404,
    "/v2.1/servers%0a/": 404,
    "/v2.1/servers%20": 404,
    "/v2.1/servers;": 404,
    "/v2.1/servers;a=b": 404,
    "/v2.1/servers.json": 404,
    "/v2.1/Servers": 404,
    "/v2.1/servers%00": 404,
    "/v2.1/servers%c2%85": 404,
    "/v2.1/./servers": 404,
    "/v2.1/%0a/servers": 404,
    "/v2.1/x/../servers": 404,
    f"/v2.1/{PROJECT_ID}/servers/": 404,
    "/v2.1/no-project/servers": 404,
    "/v2.1/deadbeef/servers": 400,
    "/v2.1/deadbeef%0a/servers": 404,
    "/v2.1%0a/servers": 300,
    "/v2.1/servers//action": 404,
    "/v2/servers/": 404,
    "/v2/servers.json": 404,
}


class Bodies(ways.Ways):
    def posts(self, *paths, **more):
        """Yield the answers to a body for any version of the API."""
        image = self.image(**helpers.IDE)
        server = {"name": "x", "flavorRef": "1", "imageRef": image}
        for path in paths:
            self.witness.texts.clear()
            yield self.call(
                "POST", path, {"server": server}, version=None, **more
            )


class Urls(Bodies):
    def test_bypass_22_both_pipelines_with_and_without_a_project(self):
        for response in self.posts(*(f"{root}/servers" for root in ROOTS)):
            self.boots(response, IDE)

    def test_bypass_22_old_name_of_servers(self):
        """A Nova whose os-volumes_boot is broken (34.0.0) answers 500."""
        paths = (f"{root}/os-volumes_boot" for root in ROOTS)
        for response in self.posts(*paths):
            if self.API_GATE or response.status_int != 500:
                self.boots(response, IDE)


TestGuardedUrls, TestAskedUrls, TestFilterAlone = ways.asked(
    Urls, ways.Asked, ways.FilterAlone
)


class Servers(Bodies):
    def test_bypass_32_path_of_servers(self):
        for response in self.posts(*SERVERS):
            self.ends(response, IDE, names=["hw_disk_bus"])

    def test_bypass_32_version_in_the_type_of_the_body(self):
        paths = ("/servers", "/servers%0a")
        for response in self.posts(*paths, content_type=VERSION_IN_TYPE):
            self.ends(response, IDE, names=["hw_disk_bus"])

    def test_bypass_32_path_of_an_action(self):
        server = self.active(self.image())
        action = {"rebuild": {"imageRef": self.image(hw_video_model="cirrus")}}
        ends = ("/v2.1/servers/{}/action%0a", "/v2.1/servers/{}/%61ction")
        for path in (
            *ends,
            *(f"{root}/servers//{{}}///action" for root in ROOTS),
        ):
            path = path.format(server)
            response = self.call("POST", path, action, version=None)
            self.ends(response, CIRRUS, names=["hw_video_model"])
            self.wait(server, "ACTIVE")


TestGuarded, TestAsked = ways.asked(Servers, ways.Asked)


class Answers(ways.Ways):
    """Requests that are judged, or left to Nova, by the path alone."""

    def test_what_nova_does_not_take_is_novas_to_answer(self):
        """Its own answer is left, with and without a gate."""
        wish = self.wish(self.image(**helpers.IDE))
        requests = [("POST", path, NOTHING[path]) for path in NOTHING]
        for method, path, status in (
            *requests,
            ("post", "/v2.1/servers", 404),
        ):
            response = self.call(method, path, wish)
            self.assertEqual(status, response.status_int, path)

    def test_bypass_32_path_of_metadata_of_an_image(self):
        whole = {"metadata": helpers.IDE}
        for method, end, body in (
            ("POST", "%0a", whole),
            ("PUT", "%0a", whole),
            ("PUT", "/hw_disk_bus%0a", {"meta": helpers.IDE}),
        ):
            path = f"/v2.1/images/{self.image()}/metadata{end}"
            response = self.call(method, path, body, version=OLD_API)
            status = 403 if self.GUARDED else 200
            self.assertEqual(status, response.status_int, response.text)


(TestGuardedAnswers,) = ways.cases(Answers, verdicts.VerdictCase, ways.Guarded)
