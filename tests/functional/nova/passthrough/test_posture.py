# SPDX-License-Identifier: Apache-2.0
"""A host's proof appears, is withdrawn, and grows old."""

import datetime

from nova_vhard.catalogue import traits
from nova_vhard.placement import upkeep
from nova_vhard.placement.client import Placement
from tests.functional.nova.passthrough import base, filter_case, fleet

HOUR = datetime.timedelta(hours=1)
#: When a host of any id has written the next hour's mark.
LATE = datetime.timedelta(hours=1, minutes=29)
NOBODY = fleet.NOBODY.format("iommu")
FOREIGN = "CUSTOM_OF_SOMEBODY_ELSE"
PROOF = {
    traits.of_check(name)
    for name in ("iommu", "interrupt_remapping", "kernel_aslr", "smt")
}


class TestAppearing(base.Devices):
    """On the provider that nova-compute itself writes all the time."""

    def test_a_report_makes_a_host_eligible_and_costs_no_trait(self):
        # given hosts as nova-compute has made them known
        theirs = {host: self.traits(host) for host in self.HOSTS}
        gpu = self.gpu()
        self.assertIn(fleet.NOBODY.split("{}", 1)[0], self.refused(gpu))

        # when a reporter and nova-compute's periodic update take turns
        self._run_periodics()
        self.prove(base.PROVEN)
        self._run_periodics()
        self.prove(base.PROVEN, at=self.now() + LATE)
        self._run_periodics()

        # then nothing of either is lost
        mark = traits.of_hour(self.now() + LATE)
        self.assertEqual(
            theirs[base.PROVEN] | PROOF | {mark}, self.traits(base.PROVEN)
        )
        self.assertEqual(theirs[base.OTHER], self.traits(base.OTHER))

        # and the server lands there
        self.later()
        self.assertEqual(base.PROVEN, self.lands_on(gpu))


class TestProof(filter_case.FilterCase):
    """When a report counts, and which names of hours exist."""

    POLICY = "hosts: {require: [iommu]}\n"

    def setUp(self):
        super().setUp()
        self.hosts = [self.state("host1")]

    def check(self, counts):
        """Check whether the host counts as proven now."""
        if counts:
            self.assertEqual(["host1"], self.left(self.hosts, self.spec({})))
        else:
            reason = self.reason(self.hosts, self.spec({}))
            self.assertIn(NOBODY, reason)

    def reports(self, counts, **report):
        """Report, and check whether the host counts."""
        self.prove("host1", **report)
        self.later()
        self.check(counts)

    def test_withdrawn_by_the_next_report(self):
        self.reports(True)
        # after a reboot the IOMMU is gone, and there again
        self.reports(False, tree="none")
        self.reports(True)

    def test_withdrawn_by_hand(self):
        self.reports(True)
        self.withdraw("host1")
        self.assertEqual(set(), self.ours("host1"))
        self.later()
        self.check(False)

    def test_kept_for_posture_ttl_and_no_longer(self):
        self.reports(True)
        self.withdraw("host1")
        asked = len(self.asked)

        # within the time nothing is asked
        self.check(True)
        self.assertEqual(asked, len(self.asked))

        # after a second and a tenth (posture_ttl=1) everything is
        self.later(seconds=1.1)
        self.check(False)
        self.assertEqual(asked + 2, len(self.asked))

    def test_a_silent_host_grows_stale_and_is_swept(self):
        # given a reporter that fell silent, and a trait of somebody else's
        self._create_trait(FOREIGN)
        self._set_provider_traits(self.provider("host1"), [FOREIGN])
        self.reports(True)
        before = self.ours("host1")

        # when its last report is too old
        self.later(hours=2)

        # then the host counts for nothing although its traits are there
        self.check(False)
        self.assertEqual(before, self.ours("host1"))

        # and a sweep takes them, and no other trait
        done = upkeep.sweep(Placement(self.reporter), self.now(), 2)
        self.assertEqual(["host1"], done.silent)
        self.assertEqual({FOREIGN}, self.traits("host1"))

    def names(self):
        """Return the freshness names that exist."""
        query = f"startswith:{traits.REPORTED}"
        return Placement(self.reporter)._names(query)

    def test_no_name_of_any_hour(self):
        # given a check that exists, and no report at all
        Placement(self.reporter).create_traits({traits.of_check("iommu")})

        self.check(False)
        self.assertEqual(set(), self.names())

    def test_the_hour_turns_before_anybody_has_reported_in_it(self):
        # given a report of the hour that ends: neither the next hour's name
        # nor, once it has turned, this hour's exists
        self.prove("host1")
        self.assertEqual({traits.of_hour(fleet.START)}, self.names())
        for minutes in (0, 29, 2):
            self.later(minutes=minutes)
            self.check(True)
        self.assertEqual(fleet.START + 31 * HOUR / 60, self.now())
        self.assertNotIn(traits.of_hour(self.now()), self.names())

        # when the report's hour is not one of the last two any more
        self.later(minutes=60)
        self.check(False)

        # then a new report counts again
        self.reports(True)

    def test_a_host_whose_clock_is_ahead(self):
        """It counts, but not by more than it can be ahead."""
        self.reports(True, at=self.now() + HOUR)
        self.reports(False, at=self.now() + 2 * HOUR)

    def test_max_report_age(self):
        self.write_policy("hosts: {require: [iommu], max_report_age: 6}\n")
        self.reports(True, at=self.now() - 5 * HOUR)
        self.reports(False, at=self.now() - 6 * HOUR)
