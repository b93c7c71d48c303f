# SPDX-License-Identifier: Apache-2.0
"""A policy file that cannot be used, with and without a last good one."""

from pathlib import Path

import fixtures
from nova import exception
from nova.scheduler import manager

from nova_vhard.policy.watch import PolicyUnavailable
from tests.functional.nova import base, helpers, verdicts

BROKEN = "guest_devices: {disk_bus: {allow: [virtoi]}}\n"


class Policies(verdicts.VerdictCase):
    def setUp(self):
        super().setUp()
        self.clean = self.image(**helpers.CLEAN)
        self.old = self.image(**helpers.IDE)

    def start(self):
        """Build what nova-scheduler builds when it starts; return our gate."""
        started = manager.SchedulerManager()
        return started.host_manager.enabled_filters[0]

    def refused(self, gate):
        """Check that the scheduler's gate refuses an ide image."""
        error = self.assertRaises(
            exception.NoValidHost,
            gate.filter_all,
            [],
            self.spec_of(helpers.IDE),
        )
        self.assertIn("hw_disk_bus=ide", str(error))

    def boots(self, **statuses):
        """Check how the API answers a boot from each image."""
        actual = {
            name: self.boot(getattr(self, name)).status_int
            for name in statuses
        }
        self.assertEqual(statuses, actual)


class TestNeverGood(Policies):
    """There has never been a policy that could be used."""

    def setUp(self):
        super().setUp()
        self.running = self.server(self.clean)
        folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.policy_file = folder / "policy.yaml"
        self.write_policy(BROKEN)
        self.application = self.worker(
            policy_file=str(self.policy_file),
            state_path=str(folder),
        )

    def test_what_would_be_judged_is_answered_503(self):
        rebuild = {"rebuild": {"imageRef": self.clean}}
        for response in (
            self.boot(self.clean),
            self.act(self.running, rebuild),
        ):
            self.assertEqual(503, response.status_int)
            self.assertEqual(["serviceUnavailable"], list(response.json))
            # the tenant learns that it is not his fault, and no path
            self.assertIn("policy", base.text(response))
            self.assertNotIn(str(self.policy_file.parent), response.text)
        self.assertEqual(1, len(self.servers()))

    def test_everything_else_goes_through(self):
        path = f"/v2.1/servers/{self.running}"
        for url in ("/v2.1/servers", path):
            self.assertEqual(200, self.call("GET", url).status_int)
        response = self.act(self.running, {"reboot": {"type": "HARD"}})
        self.assertEqual(202, response.status_int)
        self.assertEqual(204, self.call("DELETE", path).status_int)

    def test_a_mended_policy_is_obeyed_without_a_restart(self):
        self.policy_file.unlink()
        self.boots(clean=503)
        self.write_policy("")
        self.boots(clean=202, old=403)

    def test_nova_scheduler_does_not_start(self):
        """It says to the operator where, what, and the nearest known name."""
        error = self.assertRaises(PolicyUnavailable, self.start)
        self.assertIn(str(self.policy_file), str(error))
        self.assertIn("guest_devices.disk_bus", str(error))
        self.assertRegex(str(error), "did you mean .?virtio.?[?]")
        self.policy_file.unlink()
        error = self.assertRaises(PolicyUnavailable, self.start)
        self.assertIn(str(self.policy_file), str(error))
        # nothing else keeps it down
        self.write_policy("")
        self.refused(self.start())


class TestLastGood(Policies):
    """A bad edit keeps what held before it."""

    def test_each_service_goes_on_with_it(self):
        """One that is started again has it, too."""
        gate = self.start()
        self.boots(old=403)
        self.write_policy(BROKEN)
        self.boots(old=403, clean=202)
        self.application = self.worker()
        self.boots(old=403, clean=202)
        for each in (gate, self.start()):
            self.refused(each)
            self.assertEqual(
                [], each.filter_all([], self.spec_of(helpers.CLEAN))
            )
