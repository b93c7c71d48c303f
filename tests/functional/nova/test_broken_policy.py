# SPDX-License-Identifier: Apache-2.0
"""A policy file that cannot be used, with and without a last good one."""

from pathlib import Path

import fixtures
from nova import exception
from nova.scheduler import manager

from nova_vhard.policy.watch import PolicyUnavailable
from tests.functional.nova import base, helpers

BROKEN = "guest_devices: {disk_bus: {allow: [virtoi]}}\n"


class NeverGood(base.FakeDriverCase):
    """There has never been a policy that could be used."""

    def setUp(self):
        super().setUp()
        folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.options = {
            "policy_file": str(folder / "policy.yaml"),
            "state_path": str(folder),
        }
        self.policy_file = folder / "policy.yaml"


class TestNeverGoodAtTheApi(NeverGood):
    def setUp(self):
        super().setUp()
        self.clean = self.image(**helpers.CLEAN)
        plain = self.without_gate()
        body = self.wish(self.clean)
        response = self.call("POST", "/v2.1/servers", body, app=plain)
        self.server = response.json["server"]["id"]
        self.wait(self.server, "ACTIVE")
        self.application = self.worker(**self.options)
        self.write_policy(BROKEN)

    def test_what_would_be_judged_is_answered_503(self):
        rebuild = {"rebuild": {"imageRef": self.clean}}
        for response in (
            self.boot(self.clean),
            self.act(self.server, rebuild),
        ):
            self.assertEqual(503, response.status_int)
            self.assertEqual(["serviceUnavailable"], list(response.json))
            # the tenant learns that it is not his fault, and no path
            self.assertIn("policy", base.text(response))
            self.assertNotIn(str(self.policy_file.parent), response.text)
        self.assertEqual(1, len(self.servers()))

    def test_everything_else_goes_through(self):
        path = f"/v2.1/servers/{self.server}"
        for method, url in (("GET", "/v2.1/servers"), ("GET", path)):
            self.assertEqual(200, self.call(method, url).status_int)
        response = self.act(self.server, {"reboot": {"type": "HARD"}})
        self.assertEqual(202, response.status_int)
        self.wait(self.server, "ACTIVE")
        self.assertEqual(204, self.call("DELETE", path).status_int)

    def test_a_mended_policy_is_obeyed_without_a_restart(self):
        self.write_policy("")

        self.assertEqual(202, self.boot(self.clean).status_int)
        old = self.image(**helpers.IDE)
        self.assertEqual(403, self.boot(old).status_int)

    def test_a_file_that_is_not_there(self):
        self.policy_file.unlink()

        self.assertEqual(503, self.boot(self.clean).status_int)


class TestNeverGoodAtTheScheduler(NeverGood):
    API_GATE = None

    def setUp(self):
        super().setUp()
        self.write_policy(BROKEN)

    def start(self):
        """Build what nova-scheduler builds when it starts."""
        self.flags(**self.options, group="vhard")
        return manager.SchedulerManager()

    def test_nova_scheduler_does_not_start(self):
        error = self.assertRaises(PolicyUnavailable, self.start)

        # and says to the operator where, what, and the nearest known name
        self.assertIn(str(self.policy_file), str(error))
        self.assertIn("guest_devices.disk_bus", str(error))
        self.assertRegex(str(error), "did you mean .?virtio.?[?]")

    def test_it_does_not_start_without_a_file(self):
        self.policy_file.unlink()

        error = self.assertRaises(PolicyUnavailable, self.start)
        self.assertIn(str(self.policy_file), str(error))

    def test_it_starts_with_a_good_one(self):
        """The check of the two above: nothing else keeps it down."""
        self.write_policy("")

        self.assertIsNotNone(self.start())


class TestLastGood(base.FakeDriverCase):
    """A bad edit keeps what held before it."""

    def setUp(self):
        super().setUp()
        self.clean = self.image(**helpers.CLEAN)
        self.old = self.image(**helpers.IDE)
        self.assertEqual(403, self.boot(self.old).status_int)
        self.write_policy(BROKEN)

    def test_the_api_goes_on_with_it(self):
        self.assertEqual(403, self.boot(self.old).status_int)
        self.active(self.clean)

    def test_a_worker_that_is_started_again_has_it_too(self):
        self.application = self.worker()

        for image, status in ((self.old, 403), (self.clean, 202)):
            self.assertEqual(status, self.boot(image).status_int)


class TestLastGoodAtTheScheduler(base.FakeDriverCase):
    API_GATE = None

    def setUp(self):
        super().setUp()
        filters = self.scheduler.manager.host_manager.filter_obj_map
        filters["VirtHardeningFilter"]._enforcer.policy()

    def test_the_scheduler_goes_on_with_it(self):
        self.write_policy(BROKEN)

        server = self.boot(self.image(**helpers.IDE)).json["server"]["id"]
        self.assertIn("hw_disk_bus=ide", self.fault(server))
        self.active(self.image(**helpers.CLEAN))

    def test_a_scheduler_that_is_started_again_has_it_too(self):
        self.write_policy(BROKEN)

        started = manager.SchedulerManager().host_manager.enabled_filters[0]

        error = self.assertRaises(
            exception.NoValidHost,
            started.filter_all,
            [],
            self.spec_of(helpers.IDE),
        )
        self.assertIn("hw_disk_bus=ide", str(error))
