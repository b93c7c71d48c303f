# SPDX-License-Identifier: Apache-2.0
"""Several servers with devices in one request."""

import fixtures
from nova.scheduler import utils

from tests.functional.nova.passthrough import base


class TestMultiCreate(base.Devices):
    """(Each host has two devices.)"""

    def setUp(self):
        super().setUp()
        self.prove(base.PROVEN)
        self.wanted = self.gpu()

    def several(self, number):
        """Boot servers in one request; return their ids."""
        self.build(self.wanted, min_count=number, max_count=number)
        made = [server["id"] for server in self.servers()]
        self.assertEqual(number, len(made))
        return made

    def test_more_than_the_proven_host_has_devices_for(self):
        # when one too many is asked for, then none is left half made
        for server in self.several(3):
            self.fault(server)
            self.assertEqual({}, self.allocations(server))

    def test_a_proof_that_is_lost_between_two_of_them(self):
        # given a host that loses its proof when the first one is claimed
        claim = utils.claim_resources

        def claim_and_withdraw(*args, **kwargs):
            claimed = claim(*args, **kwargs)
            self.withdraw(base.PROVEN)
            self.later()
            return claimed

        self.useFixture(
            fixtures.MonkeyPatch(
                "nova.scheduler.utils.claim_resources", claim_and_withdraw
            )
        )

        # when two are asked for, then both are let through: the request
        # was judged before, and no allocation is left behind
        for server in self.several(2):
            self.wait(server, "ACTIVE")
            self.assertEqual(base.PROVEN, self.instance(server).host)
            self.assertIn("<hostdev", self.domain_xml(server))

        # and the next request is refused
        last = self.build(self.wanted)
        self.assertIn(
            "no host of this cloud has passed the checks", self.fault(last)
        )
        self.assertEqual({}, self.allocations(last))
