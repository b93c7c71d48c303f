# SPDX-License-Identifier: Apache-2.0
"""Nova's own refusals stay as they are."""

import uuid

from tests import services
from tests.functional.nova import helpers, verdicts

NOBODY = str(uuid.UUID(int=7))


class TestNovasOwnAnswers(verdicts.VerdictCase):
    """Whatever Nova refuses by itself, it refuses in the same words."""

    def setUp(self):
        super().setUp()
        self.plain = self.without_gate()
        self.clean = self.image(**helpers.CLEAN)

    def same(self, method, path, body, **more):
        """Check that the gate changes nothing about an answer of 4xx."""
        alone = self.call(method, path, body, app=self.plain, **more)
        gated = self.call(method, path, body, **more)
        self.assertIn(alone.status_int // 100, (2, 3, 4), (path, body))
        self.assertEqual(alone.status, gated.status, (path, body))
        self.assertEqual(alone.content_type, gated.content_type)
        self.assertEqual(alone.body, gated.body)

    def test_of_a_boot(self):
        for body in (
            None,
            b"",
            b"{",
            b"null",
            b"[]",
            b'"server"',
            b"7",
            {},
            {"server": None},
            {"server": []},
            {"server": {}},
            {"server": {"imageRef": None}},
            {"servers": self.wish(self.clean)["server"]},
            self.wish(7),
            self.wish([self.clean]),
            self.wish({"id": self.clean}),
            self.wish(""),
            self.wish("no uuid"),
            self.wish("a/b"),
            self.wish("../../v2/tokens"),
            self.wish(f"http://glance.example/v2/images/{self.clean}"),
            self.wish(NOBODY),
            self.wish(self.clean, flavorRef="nobody's"),
            self.wish(self.clean, flavorRef=None),
            self.wish(self.clean, flavorRef=["1"]),
            self.wish(self.clean, flavorRef="http://[", name=""),
            self.wish(self.clean, name=""),
            self.wish(self.clean, block_device_mapping_v2="x"),
            self.wish(self.clean, block_device_mapping_v2=[7]),
            self.wish(self.clean, min_count=-1),
        ):
            for path, version in (
                ("/v2.1/servers", "latest"),
                ("/v2.1/servers", "2.1"),
                ("/v2/servers", None),
            ):
                self.same("POST", path, body, version=version)
        self.assertEqual([], self.servers())

    def test_a_bus_that_is_no_text_is_refused_by_either(self):
        device = {"device_type": "cdrom", "disk_bus": ["ide"]}
        body = self.wish(self.clean, block_device_mapping_v2=[device])
        response = self.call("POST", "/v2.1/servers", body)
        self.assertIn(response.status_int, (400, 403))

    def test_a_body_that_nests_too_deep_is_nobodys_fault_but_its_own(self):
        """Nova alone answers 500 to it on some versions of Python."""
        for body in (b"[" * 5000 + b"]" * 5000, b'{"server":' * 5000):
            response = self.call("POST", "/v2.1/servers", body)
            self.assertEqual(400, response.status_int)
            self.assertEqual(["badRequest"], list(response.json))

    def test_of_an_action(self):
        path = f"servers/{self.server(self.clean)}/action"
        rebuild = {"imageRef": self.clean}
        for body in (
            None,
            b"",
            b"{",
            b"[]",
            b"null",
            {},
            {"rebuild": None},
            {"rebuild": []},
            {"rebuild": {}},
            {"rebuild": {"imageRef": None}},
            {"rebuild": {"imageRef": 7}},
            {"rebuild": {"imageRef": ""}},
            # Before Nova 34 the gate refuses it itself, in other words.
            *[{"rebuild": {"imageRef": "no uuid"}}] * (services.NOVA >= 34),
            {"rebuild": {"imageRef": NOBODY}},
            {"rebuild": rebuild, "pause": None},
            {"pause": None, "rebuild": rebuild},
            {"Rebuild": rebuild},
            {"dance": {}},
        ):
            self.same("POST", f"/v2.1/{path}", body)
            self.same("POST", f"/v2/{path}", body, version=None)

    def test_of_a_server_that_is_not_there_or_not_yours(self):
        running = self.server(self.clean)
        for image in (self.clean, self.image(**helpers.IDE)):
            action = {"rebuild": {"imageRef": image}}
            for name, more in (
                (NOBODY, {}),
                ("no-uuid", {}),
                (running, {"project": "f" * 32}),
            ):
                path = f"/v2.1/servers/{name}/action"
                self.same("POST", path, action, **more)

    def test_of_everything_else(self):
        for method, path in (
            ("GET", "/"),
            ("GET", "/v2.1"),
            ("GET", "/v2.1/servers/detail"),
            ("GET", f"/v2.1/servers/{NOBODY}"),
            ("PUT", "/v2.1/servers"),
            ("DELETE", f"/v2.1/servers/{NOBODY}"),
            ("GET", "/v2.1/nothing/here"),
        ):
            self.same(method, path, None)
        for version in ("9.9", "x"):
            body = self.wish(self.clean)
            self.same("POST", "/v2.1/servers", body, version=version)
