# SPDX-License-Identifier: Apache-2.0
"""A host's proof appears, is withdrawn, and grows old."""

import datetime

from nova_vhard.catalogue import traits
from nova_vhard.placement import upkeep as upkeep
from nova_vhard.placement.client import Placement
from tests.functional.nova.passthrough import base, fleet

HOUR = datetime.timedelta(hours=1)
#: When a host of any id has written the next hour's mark.
LATE = datetime.timedelta(hours=1, minutes=29)
NOBODY = fleet.NOBODY.format("iommu")
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


class TestLost(base.Devices):
    HOSTS = (base.PROVEN,)

    def setUp(self):
        super().setUp()
        self.wanted = self.gpu()
        self.prove(base.PROVEN)
        self.assertEqual(base.PROVEN, self.lands_on(self.wanted))

    def test_withdrawn_by_the_next_report(self):
        # given a host whose IOMMU is gone after a reboot
        self.prove(base.PROVEN, tree="none")

        # when the posture is asked again, then the next boot is refused
        self.later()
        self.assertIn("no host of this cloud", self.refused(self.wanted))

        # and the proof counts again when it is there again
        self.prove(base.PROVEN)
        self.later()
        self.assertEqual(base.PROVEN, self.lands_on(self.wanted))

    def test_withdrawn_by_hand(self):
        self.withdraw(base.PROVEN)
        self._run_periodics()
        self.assertEqual(set(), self.ours(base.PROVEN))

        self.later()
        self.assertIn("no host of this cloud", self.refused(self.wanted))

    def test_kept_for_posture_ttl_and_no_longer(self):
        self.withdraw(base.PROVEN)
        asked = len(self.asked)

        # within the time nothing is asked
        self.assertEqual(base.PROVEN, self.lands_on(self.wanted))
        self.assertEqual(asked, len(self.asked))

        # after a second and a tenth (posture_ttl=1) everything is
        self.later(seconds=1.1)
        self.refused(self.wanted)
        self.assertEqual(asked + 2, len(self.asked))

    def test_a_silent_host_grows_stale_and_is_swept(self):
        # given a reporter that fell silent
        before = self.ours(base.PROVEN)

        # when its last report is too old
        self.later(hours=2)

        # then the host counts for nothing although its traits are there
        self.assertIn("no host of this cloud", self.refused(self.wanted))
        self.assertEqual(before, self.ours(base.PROVEN))

        # and a sweep takes them, and no trait of nova-compute's
        theirs = self.traits(base.PROVEN) - before
        placement = Placement(self.reporter)
        done = upkeep.sweep(placement, self.now(), 2)
        self.assertEqual([base.PROVEN], done.silent)
        self._run_periodics()
        self.assertEqual(theirs, self.traits(base.PROVEN))


class TestHours(base.FakeHosts):
    """Tests of the hours that count, and of names that do not exist."""

    HOSTS = ("host1",)
    POLICY = "hosts: {require: [iommu]}\n"

    def names(self):
        """Return the freshness names that exist."""
        query = f"startswith:{traits.REPORTED}"
        return Placement(self.reporter)._names(query)

    def test_no_name_of_any_hour(self):
        # given a check that exists, and no report at all
        Placement(self.reporter).create_traits({traits.of_check("iommu")})

        self.assertIn(NOBODY, self.refused())
        self.assertEqual(set(), self.names())

    def test_the_hour_turns_before_anybody_has_reported_in_it(self):
        # given a report of the hour that ends: neither the next hour's name
        # nor, once it has turned, this hour's exists
        self.prove("host1")
        self.assertEqual({traits.of_hour(fleet.START)}, self.names())
        for minutes in (0, 29, 2):
            self.later(minutes=minutes)
            self.assertEqual("host1", self.lands_on())
        self.assertEqual(fleet.START + 31 * HOUR / 60, self.now())
        self.assertNotIn(traits.of_hour(self.now()), self.names())

        # when the report's hour is not one of the last two any more
        self.later(minutes=60)
        self.assertIn(NOBODY, self.refused())

        # then a new report counts again
        self.prove("host1")
        self.later()
        self.assertEqual("host1", self.lands_on())

    def test_a_host_whose_clock_is_ahead(self):
        self.prove("host1", at=self.now() + HOUR)
        self.assertEqual("host1", self.lands_on())

        # but not by more than it can be
        self.prove("host1", at=self.now() + 2 * HOUR)
        self.later()
        self.assertIn(NOBODY, self.refused())

    def test_max_report_age(self):
        self.write_policy("hosts: {require: [iommu], max_report_age: 6}\n")
        for back, counts in ((5, True), (6, False)):
            self.prove("host1", at=self.now() - back * HOUR)
            self.later()
            if counts:
                self.assertEqual("host1", self.lands_on())
            else:
                self.assertIn(NOBODY, self.refused())
