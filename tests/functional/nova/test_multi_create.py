# SPDX-License-Identifier: Apache-2.0
"""Several servers in one request, and a policy that changes in between."""

import fixtures
from nova.scheduler import utils

from tests.functional.nova import base, helpers

SWITCH = "run_filter_once_per_request"
LENIENT = "guest_devices: {disk_bus: {allow: [virtio, ide]}}\n"


class FlippingPolicy(base.FakeDriverCase):
    """The policy turns strict when the first instance has its allocation."""

    API_GATE = None
    POLICY = LENIENT

    def setUp(self):
        super().setUp()
        claim = utils.claim_resources

        def claim_and_flip(*args, **kwargs):
            claimed = claim(*args, **kwargs)
            self.write_policy("")
            return claimed

        self.useFixture(
            fixtures.MonkeyPatch(
                "nova.scheduler.utils.claim_resources", claim_and_flip
            )
        )

    def two(self):
        """Boot two servers of an ide image in one request."""
        image = self.image(**helpers.IDE)
        response = self.boot(image, min_count=2, max_count=2)
        self.assertEqual(202, response.status_int)
        servers = self.servers()
        self.assertEqual(2, len(servers))
        return [server["id"] for server in servers], image


class TestOncePerRequest(FlippingPolicy):
    def test_the_request_is_judged_once(self):
        # given a policy that allows ide until the first claim
        # when two servers are asked for together
        servers, image = self.two()

        # then both are let through: the request was judged before
        for server in servers:
            self.wait(server, "ACTIVE")
            self.assertNotEqual({}, self.allocations(server))

        # and the next request is judged by the new policy
        refused = self.boot(image).json["server"]["id"]
        self.assertIn("hw_disk_bus=ide", self.fault(refused))
        self.assertEqual({}, self.allocations(refused))


class TestWhyOncePerRequest(FlippingPolicy):
    def test_a_refusal_after_a_claim_would_leave_an_allocation(self):
        """The reason for the switch; fails when Nova cleans up itself."""
        filters = self.scheduler.manager.host_manager.filter_obj_map
        ours, name = filters["VirtHardeningFilter"], SWITCH
        self.useFixture(fixtures.MockPatchObject(ours, name, False))

        servers, _ = self.two()

        for server in servers:
            self.fault(server)
        left = [server for server in servers if self.allocations(server)]
        self.assertEqual(1, len(left))
