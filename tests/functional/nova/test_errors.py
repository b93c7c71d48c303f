# SPDX-License-Identifier: Apache-2.0
"""Nova's own refusals stay as they are; look-ups that fail."""

import uuid

from nova import exception

from tests import services
from tests.functional.nova import base, helpers

NOBODY = str(uuid.UUID(int=7))


class TestNovasOwnAnswers(base.FakeDriverCase):
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
            self.same("POST", "/v2.1/servers", body)
            self.same("POST", "/v2.1/servers", body, version="2.1")
            self.same("POST", "/v2/servers", body, version=None)
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
        server = self.active(self.clean)
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
            self.same("POST", f"/v2.1/servers/{server}/action", body)
            self.same(
                "POST", f"/v2/servers/{server}/action", body, version=None
            )
        self.wait(server, "ACTIVE")

    def test_of_a_server_that_is_not_there_or_not_yours(self):
        server = self.active(self.clean)
        old = self.image(**helpers.IDE)
        for image in (self.clean, old):
            action = {"rebuild": {"imageRef": image}}
            for name in (NOBODY, "no-uuid"):
                self.same("POST", f"/v2.1/servers/{name}/action", action)
            self.same(
                "POST",
                f"/v2.1/servers/{server}/action",
                action,
                project="f" * 32,
            )

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

    def test_of_a_microversion_that_it_does_not_know(self):
        body = self.wish(self.clean)
        for version in ("9.9", "x"):
            self.same("POST", "/v2.1/servers", body, version=version)


class TestLookUps(base.FakeDriverCase):
    """Glance does not answer the gate, or the answer is unusable."""

    FAILURES = (
        exception.GlanceConnectionFailed(server="glance", reason="refused"),
        OSError("reset by peer"),
        TypeError("garbage"),
    )

    def fail_next(self, *errors):
        """Let Glance's next look-ups fail, one an error."""
        pending = list(errors)
        show = type(self.glance).show

        def failing(*args, **kwargs):
            if pending:
                raise pending.pop(0)
            return show(self.glance, *args, **kwargs)

        self.glance.show = failing
        # The fixture is that of the class.
        self.addCleanup(vars(self.glance).pop, "show", None)

    def test_a_boot_goes_on_to_the_scheduler(self):
        image = self.image(**helpers.IDE)
        for error in self.FAILURES:
            # given a Glance that does not answer the API gate
            self.fail_next(error)

            # when an ide image is booted
            response = self.boot(image)

            # then the scheduler's gate refuses it
            self.assertEqual(202, response.status_int, error)
            fault = self.fault(response.json["server"]["id"])
            self.assertIn("hw_disk_bus=ide", fault)

    def test_a_boot_on_a_forced_host_goes_nowhere(self):
        """No filter is asked, so that no scheduler's gate is."""
        wish = self.wish(
            self.image(**helpers.IDE), availability_zone="nova:compute1"
        )
        for error in self.FAILURES:
            self.fail_next(error)
            response = self.call(
                "POST", "/v2.1/servers", wish, roles=helpers.ADMIN
            )
            self.assertEqual(503, response.status_int, error)
            self.fail_next()
        self.assertEqual([], self.servers())

    def test_a_clean_boot_is_none_the_worse(self):
        self.fail_next(self.FAILURES[0])
        self.active(self.image(**helpers.CLEAN))

    def test_a_rebuild_has_one_gate_only(self):
        clean = self.image(**helpers.CLEAN)
        server = self.active(clean)
        before = dict(self.instance(server).system_metadata)
        for image in (clean, self.image(**helpers.IDE)):
            for error in self.FAILURES:
                self.fail_next(error)
                response = self.act(server, {"rebuild": {"imageRef": image}})
                self.assertEqual(503, response.status_int, error)
                self.assertEqual(["serviceUnavailable"], list(response.json))
                self.assertNotIn("garbage", response.text)
                self.fail_next()
        self.wait(server, "ACTIVE")
        self.assertEqual(before, self.instance(server).system_metadata)

    def test_an_image_that_is_not_yours_is_novas_to_refuse(self):
        image = self.image(**helpers.CLEAN)
        error = exception.ImageNotAuthorized(image_id=image)
        server = self.active(image)
        plain = self.without_gate()
        for path, body in (
            ("/v2.1/servers", self.wish(image)),
            (
                f"/v2.1/servers/{server}/action",
                {"rebuild": {"imageRef": image}},
            ),
        ):
            self.fail_next(*[error] * 9)
            alone = self.call("POST", path, body, app=plain)
            self.fail_next(*[error] * 9)
            gated = self.call("POST", path, body)
            self.assertEqual(alone.status_int, gated.status_int)
            self.assertNotEqual(503, gated.status_int)
