# SPDX-License-Identifier: Apache-2.0
"""A policy file that cannot be used, with and without a last good one.

Watching a file is in tests/unit/test_watch.
"""

from pathlib import Path

import fixtures
import pytest
from nova import exception
from nova.scheduler import manager

from nova_vhard.policy.watch import PolicyUnavailable
from tests.functional.nova import helpers, verdicts

BROKEN = "guest_devices: {disk_bus: {allow: [virtoi]}}\n"


class TestPolicies(verdicts.VerdictCase):
    def start(self):
        """Build what nova-scheduler builds when it starts; return our gate."""
        started = manager.SchedulerManager()
        return started.host_manager.enabled_filters[0]

    def judges(self, gate):
        """Check that the scheduler's gate refuses an IDE image alone."""
        clean, old = map(self.spec_of, (helpers.CLEAN, helpers.IDE))
        self.assertEqual([], gate.filter_all([], clean))
        self.assertRaises(exception.NoValidHost, gate.filter_all, [], old)

    def boots(self, *statuses):
        """Check how the API answers boots of a clean and of an IDE image."""
        images = self.image(**helpers.CLEAN), self.image(**helpers.IDE)
        actual = [self.boot(image).status_int for image in images]
        self.assertEqual([*statuses], actual)

    @pytest.mark.refused_policy
    def test_there_has_never_been_a_good_one(self):
        folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.policy_file = folder / "policy.yaml"
        self.application = self.worker(
            policy_file=str(self.policy_file), state_path=str(folder)
        )
        self.boots(503, 503)
        error = self.assertRaises(PolicyUnavailable, self.start)
        self.assertIn(str(self.policy_file), str(error))
        # nova-scheduler tells the operator the place and the nearest name.
        self.write_policy(BROKEN)
        self.boots(503, 503)
        error = self.assertRaises(PolicyUnavailable, self.start)
        for text in (str(self.policy_file), "guest_devices.disk_bus"):
            self.assertIn(text, str(error))
        self.assertRegex(str(error), "did you mean .?virtio.?[?]")
        # A corrected policy is obeyed without a restart.
        self.write_policy("")
        self.boots(202, 403)
        self.judges(self.start())

    @pytest.mark.refused_policy
    def test_a_bad_edit_keeps_what_held_before_it(self):
        """Also in a service that is started again."""
        gate = self.start()
        self.boots(202, 403)
        self.write_policy(BROKEN)
        self.boots(202, 403)
        self.application = self.worker()
        self.boots(202, 403)
        for each in (gate, self.start()):
            self.judges(each)
