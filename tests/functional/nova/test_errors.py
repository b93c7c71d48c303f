# SPDX-License-Identifier: Apache-2.0
"""Nova's own refusals stay as they are."""

import re
import uuid

from tests import services
from tests.functional.nova import helpers, verdicts

NOBODY = str(uuid.UUID(int=7))
UPDATED = rb'"updated": "[^"]*"'


class TestNovasOwnAnswers(verdicts.VerdictCase):
    """Whatever Nova refuses by itself, it refuses in the same words."""

    def setUp(self):
        super().setUp()
        self.plain = self.without_gate()
        self.clean = self.image(**helpers.CLEAN)

    def same(self, *request, **more):
        """Check that the gate changes nothing about an answer of 4xx."""
        alone, gated = (
            self.call(*request, app=app, **more) for app in (self.plain, None)
        )
        self.assertIn(alone.status_int // 100, (2, 3, 4), request)
        shown = (
            # A compute may write the time between the two.
            (each.status, each.content_type, re.sub(UPDATED, b"", each.body))
            for each in (alone, gated)
        )
        self.assertEqual(*shown, request)

    def test_of_a_boot(self):
        for body in (
            *(None, b"", b"{", b"null", b"[]", b'"server"', b"7", {}),
            *({"server": each} for each in (None, [], {}, {"imageRef": None})),
            {"servers": self.wish(self.clean)["server"]},
            *map(self.wish, (7, [self.clean], {"id": self.clean}, NOBODY)),
            *map(self.wish, ("", "no uuid", "a/b", "../../v2/tokens")),
            self.wish(f"http://glance.example/v2/images/{self.clean}"),
            *(
                self.wish(self.clean, **more)
                for more in (
                    {"flavorRef": "nobody's"},
                    {"flavorRef": None},
                    {"flavorRef": ["1"]},
                    {"flavorRef": "http://[", "name": ""},
                    {"name": ""},
                    {"block_device_mapping_v2": "x"},
                    {"block_device_mapping_v2": [7]},
                    {"min_count": -1},
                )
            ),
        ):
            for path, version in (
                ("/v2.1/servers", "latest"),
                ("/v2.1/servers", "2.1"),
                ("/v2/servers", None),
            ):
                self.same("POST", path, body, version=version)
        self.assertEqual([], self.servers())

    def test_bodies_that_the_gate_refuses_in_other_words(self):
        """Nova alone answers 500 to some, on some versions of Python."""
        device = {"device_type": "cdrom", "disk_bus": ["ide"]}
        for body in (
            b"[" * 5000 + b"]" * 5000,
            b'{"server":' * 5000,
            self.wish(self.clean, block_device_mapping_v2=[device]),
        ):
            response = self.call("POST", "/v2.1/servers", body)
            self.assertEqual(400, response.status_int)

    def test_of_everything_else(self):
        """Also of a server that is not there, or not yours."""
        server = self.server(self.clean)
        path = f"servers/{server}/action"
        old = self.image(**helpers.IDE)
        rebuild = {"imageRef": self.clean}
        references = [None, 7, "", NOBODY]
        if services.NOVA >= 34:
            # Before, the gate refuses it itself, in other words.
            references.append("no uuid")
        for body in (
            *(None, b"", b"{", b"[]", b"null", {}),
            *({"rebuild": each} for each in (None, [], {})),
            *({"rebuild": {"imageRef": each}} for each in references),
            {"rebuild": rebuild, "pause": None},
            {"pause": None, "rebuild": rebuild},
            {"Rebuild": rebuild},
            {"dance": {}},
        ):
            self.same("POST", f"/v2.1/{path}", body)
            self.same("POST", f"/v2/{path}", body, version=None)
        for method, path, body, more in (
            *(
                (
                    "POST",
                    f"/servers/{name}/action",
                    {"rebuild": {"imageRef": image}},
                    more,
                )
                for image in (self.clean, old)
                for name, more in (
                    (NOBODY, {}),
                    ("no-uuid", {}),
                    (server, {"project": "f" * 32}),
                )
            ),
            ("GET", "", None, {}),
            ("GET", "/servers/detail", None, {}),
            ("GET", f"/servers/{NOBODY}", None, {}),
            ("PUT", "/servers", None, {}),
            ("DELETE", f"/servers/{NOBODY}", None, {}),
            ("GET", "/nothing/here", None, {}),
            *(
                ("POST", "/servers", self.wish(self.clean), {"version": each})
                for each in ("9.9", "x")
            ),
        ):
            self.same(method, f"/v2.1{path}", body, **more)
        self.same("GET", "/", None)
