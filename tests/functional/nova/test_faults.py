# SPDX-License-Identifier: Apache-2.0
"""Faults of our own at Nova's gates: never a pass, never the user's."""

from unittest import mock

from nova import exception
from nova.api import auth

from tests import faults
from tests.functional.nova import base, helpers, verdicts

GATES = "nova_vhard.gates"
READER = "nova_vhard.request"
POLICY = f"{GATES}.enforcer.PolicyEnforcer.policy"
SPECS = "/v2.1/flavors/1/os-extra_specs"

#: Requests, and what fails in the order in which a request comes through it.
API = {
    "boot": (
        f"{GATES}.nova_schemas.validate",
        f"{GATES}.nova_router.Router.call",
        POLICY,
        f"{READER}.nova_api.in_body",
        f"{READER}.nova_api.ServerReader.boot",
        f"{GATES}.nova_images.read",
        f"{GATES}.nova_servers.flavor",
        f"{READER}.server_request.evaluate",
        "nova_vhard.policy.events.write",
        "nova_vhard.policy.events._names",
    ),
    "refused boot": ("nova_vhard.explain.messages.api_message",),
    "rebuild": (
        f"{READER}.nova_api.ServerReader._anew",
        f"{GATES}.nova_servers.read",
        f"{GATES}.nova_servers.kept_devices",
        f"{READER}.nova_api.with_kept",
        f"{READER}.server_request.violated",
    ),
    "flavor": (
        f"{GATES}.nova_flavor.changed",
        f"{GATES}.nova_flavor.lacking",
        f"{GATES}.nova_api.with_more",
    ),
}
#: Errors of these mean something else, where a body is read.
ANY_KIND = (f"{READER}.nova_api.in_body", "nova_vhard.policy.events.write")
SCHEDULER = (
    POLICY,
    f"{GATES}.scheduler.request_spec.read",
    f"{GATES}.scheduler.request_spec.subject",
    f"{GATES}.nova_stored._build_request",
    f"{GATES}.nova_stored.block_device.read",
    f"{READER}.server_request.evaluate",
    f"{GATES}.scheduler.host_rules.host_requirements",
    "nova_vhard.policy.events.write",
)


class RequestIds:
    """Gives a context the id of its request, as ``keystonecontext`` does.

    Nova's stand-in for it, OSAPIFixture, makes another.
    """

    def setUp(self):
        super().setUp()
        name = f"{auth.__name__}.NovaKeystoneContext._create_context"
        create = auth.NovaKeystoneContext._create_context

        def created(environ, **more):
            made = create(environ, **more)
            made.request_id = environ["openstack.request_id"]
            return made

        self.stub_out(name, created)


class TestApi(RequestIds, verdicts.VerdictCase):
    """What Nova would take, where the gate itself fails."""

    def setUp(self):
        super().setUp()
        self.clean = self.image(**helpers.CLEAN)

    def ours(self, response):
        """Check that a response is what we say of a fault of ours."""
        self.assertEqual(503, response.status_int, response.text)
        self.assertEqual(["serviceUnavailable"], list(response.json))
        text = base.text(response)
        self.assertIn("because of an internal error", text)
        self.assertIn(response.headers["x-openstack-request-id"], text)
        self.assertNotIn(faults.SECRET, response.text)

    def test_what_fails_is_no_pass(self):
        server = self.server(self.clean)
        old = self.image(**helpers.IDE)
        specs = {"extra_specs": {"hw:cpu_policy": "shared"}}
        rebuild = {"rebuild": {"imageRef": self.image()}}
        requests = {
            "boot": ("/v2.1/servers", self.wish(self.clean)),
            "refused boot": ("/v2.1/servers", self.wish(old)),
            "rebuild": (f"/v2.1/servers/{server}/action", rebuild),
            "flavor": (SPECS, specs),
        }
        before = len(self.servers())
        for name, places in API.items():
            path, body = requests[name]
            roles = helpers.ADMIN if name == "flavor" else helpers.MEMBER
            for place in places:
                kinds = faults.KINDS if place in ANY_KIND else [TypeError]
                for kind in kinds:
                    with (
                        self.subTest(place, kind=kind),
                        mock.patch(place, faults.failing(kind)),
                        faults.errors() as logged,
                    ):
                        response = self.call("POST", path, body, roles=roles)
                    self.ours(response)
                    faults.check_logged(logged, kind)
        # nothing has happened
        self.assertEqual(before, len(self.servers()))
        self.assertEqual(self.clean, self.instance(server).image_ref)
        kept = self.call("GET", SPECS, roles=helpers.ADMIN).json
        self.assertEqual({}, kept["extra_specs"])
        self.assertEqual(202, self.boot(self.clean).status_int)

    def test_a_search_of_a_fix(self):
        """A refusal stays a refusal if the search for its fix fails."""
        old = self.image(**helpers.IDE)
        for place in ("draft.Draft.of", "search._Search.run"):
            with (
                mock.patch(
                    f"nova_vhard.explain.{place}",
                    faults.failing(RuntimeError),
                ),
                faults.errors() as logged,
            ):
                response = self.boot(old)
            self.assertEqual(403, response.status_int)
            self.assertNotIn("To fix", base.text(response))
            faults.check_logged(logged, RuntimeError)
        self.assertIn("To fix", base.text(self.boot(old)))

    def test_what_is_not_judged_goes_on(self):
        server = self.server(self.clean)
        with mock.patch(POLICY, faults.failing(RuntimeError)):
            flavors = self.call("GET", "/v2.1/flavors")
            self.assertEqual(200, flavors.status_int)
            reboot = {"reboot": {"type": "HARD"}}
            self.assertEqual(202, self.act(server, reboot).status_int)

    def test_an_event_that_cannot_be_written_is_no_pass(self):
        with (
            faults.broken_log(faults.DECISIONS),
            faults.errors() as logged,
        ):
            self.ours(self.boot(self.clean))
        faults.check_logged(logged, OSError)
        for image in (self.clean, self.image(**helpers.IDE)):
            with faults.broken_log(faults.OURS):
                self.ours(self.boot(image))
        self.assertEqual([], self.servers())

    def test_a_failed_look_up_in_such_a_log(self):
        """The gate says so in its log, where a rebuild has no other gate."""
        # It has not read the policy yet, and cannot log that it has.
        self.application = self.worker()
        server = self.server(self.clean)
        body = {"rebuild": {"imageRef": self.clean}}
        failing = mock.patch(
            f"{GATES}.nova_images.get", faults.failing(OSError)
        )
        with failing, faults.broken_log(faults.OURS):
            self.ours(self.act(server, body))


class TestScheduler(verdicts.VerdictCase):
    def refused(self, spec, gate):
        error = self.assertRaises(
            exception.NoValidHost, gate.filter_all, ["a host"], spec
        )
        self.assertIn("because of an internal error", str(error))
        self.assertIn(spec._context.request_id, str(error))
        self.assertNotIn(faults.SECRET, str(error))
        self.assertLess(len(str(error)), 256)

    def test_no_host_is_left(self):
        from nova_vhard.gates.scheduler import VirtHardeningFilter

        gate, spec = VirtHardeningFilter(), self.spec_of(helpers.CLEAN)
        for place in SCHEDULER:
            for kind in faults.KINDS:
                with (
                    mock.patch(place, faults.failing(kind)),
                    faults.errors() as logged,
                ):
                    self.refused(spec, gate)
                faults.check_logged(logged, kind)
        for name in (faults.DECISIONS, faults.OURS):
            with faults.broken_log(name):
                self.refused(spec, gate)
        # A refusal is not a fault.
        with faults.errors() as logged:
            error = self.assertRaises(
                exception.NoValidHost,
                gate.filter_all,
                [],
                self.spec_of(helpers.IDE),
            )
        self.assertIn("hw_disk_bus=ide", str(error))
        self.assertEqual([], logged)
