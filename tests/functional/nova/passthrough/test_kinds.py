# SPDX-License-Identifier: Apache-2.0
"""Device profiles and accelerators of ports, with Cyborg's responses.

The devices that a flavor requests are in tests/unit/test_verdict.py.
"""

import uuid

from nova import context
from nova.accelerator import cyborg
from nova.tests import fixtures as nova_fixtures

from tests.functional.nova.passthrough import filter_case
from tests.functional.nova.passthrough.filter_case import BOTH as CHECKS

PROFILE = nova_fixtures.CyborgFixture.dp_name
PORT = str(uuid.UUID(int=7))


def allowing(kind, name):
    return f'passthrough: {{allow: {{{kind}: ["{name}"]}}}}\n'


class TestKinds(filter_case.FilterCase):
    POLICY = ""

    def setUp(self):
        super().setUp()
        self.useFixture(nova_fixtures.CyborgFixture())
        self.hosts = [self.proven("host-a", *CHECKS), self.state("host-b")]

    def groups(self, owner=None):
        return cyborg.get_device_profile_request_groups(
            context.get_admin_context(), PROFILE, owner
        )

    def test_an_accelerator_of_a_port(self):
        """Refused; where it is allowed, it needs a proven host."""
        asked = self.spec({}, requested_resources=self.groups(PORT))
        self.assertEqual(
            f"accelerator of port {PORT} asks for port {PORT} (allowed: no "
            "value)",
            self.reason(self.hosts, asked),
        )
        self.write_policy(allowing("device_profiles", "*"))
        self.assertEqual(["host-a"], self.left(self.hosts, asked))

    def test_groups_that_are_judged_elsewhere_or_are_not_passthrough(self):
        """The groups of a flavor's profile, and of a port with bandwidth."""
        self.write_policy(allowing("device_profiles", PROFILE))
        bandwidth = filter_case.groups(PORT, None)
        for specs, groups, left in (
            ({"accel:device_profile": PROFILE}, self.groups(), ["host-a"]),
            ({}, bandwidth, ["host-a", "host-b"]),
        ):
            asked = self.spec(specs, requested_resources=groups)
            self.assertEqual(left, self.left(self.hosts, asked))
