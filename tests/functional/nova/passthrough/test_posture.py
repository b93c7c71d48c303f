# SPDX-License-Identifier: Apache-2.0
"""A host's proof appears and is withdrawn.

When a report counts is in tests/unit/test_posture.py.
"""

import datetime

from nova_vhard.catalogue import traits
from tests.functional.nova.passthrough import base, fleet

#: When a host of any id has written the next hour's mark.
LATE = datetime.timedelta(hours=1, minutes=29)
NOBODY = "no host of this cloud has passed the checks"
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
        self.assertIn(NOBODY, self.refused(gpu))

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
        server = self.build(gpu)
        self.wait(server, "ACTIVE")
        self.assertEqual(base.PROVEN, self.instance(server).host)
        self.assertIn("<hostdev", self.domain_xml(server))

        # when the IOMMU is gone after a reboot, then the next one does not
        self.prove(base.PROVEN, tree=fleet.ABSENT)
        self.later()
        self.assertIn(NOBODY, self.refused(gpu))

        # nor when an operator has withdrawn what came back
        self.prove(base.PROVEN)
        self.withdraw(base.PROVEN)
        self.later()
        self.assertIn(NOBODY, self.refused(gpu))
