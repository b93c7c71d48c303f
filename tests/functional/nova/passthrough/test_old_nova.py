# SPDX-License-Identifier: Apache-2.0
"""Features that Nova lacks do not count as proven."""

import fixtures

from nova_vhard.gates import nova_release
from tests import services
from tests.functional.nova.passthrough import filter_case, fleet

CHECK = "passthrough_one_time_use"
DEMAND = {"vhard:require": CHECK}
ONE_TIME_USE = "one_time_use of PCI devices"


class TestOneTimeUse(filter_case.FilterCase):
    @services.needs_nova(32, ONE_TIME_USE)
    def test_a_host_that_has_proven_it(self):
        hosts = [self.proven("clean", CHECK), self.proven("again")]

        self.assertEqual(["clean"], self.left(hosts, self.spec(DEMAND)))

    @services.needs_nova(32, ONE_TIME_USE)
    def test_a_host_whose_nova_is_older_than_the_schedulers(self):
        old, new = (self.proven(name, CHECK) for name in ("old", "new"))
        old.service = {"version": nova_release.SERVICE_OF_32 - 1}

        self.assertEqual(["new"], self.left([old, new], self.spec(DEMAND)))
        reason = self.reason([old], self.spec(DEMAND))
        self.assertIn(fleet.NO_CANDIDATE.format(CHECK), reason)

    def test_where_nova_ignores_it_no_host_has_proven_it(self):
        if services.NOVA >= 32:
            self.assertEqual([], nova_release.ignored([CHECK]))
            return
        hosts = [self.proven("clean", CHECK)]
        log = self.useFixture(
            fixtures.FakeLogger("nova_vhard.gates.posture_filter")
        )

        reason = self.reason(hosts, self.spec(DEMAND))

        self.assertIn(fleet.NOBODY.format(CHECK), reason)
        self.assertEqual(
            f"No host counts as passed: Nova 31 ignores the settings "
            f"that {CHECK} checks\n",
            log.output.partition("No host is left")[0],
        )
