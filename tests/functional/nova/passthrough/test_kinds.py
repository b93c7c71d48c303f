# SPDX-License-Identifier: Apache-2.0
"""Device profiles, mediated devices and accelerators of ports."""

import uuid

from nova import context
from nova.accelerator import cyborg
from nova.tests import fixtures as nova_fixtures

from tests.functional.nova.passthrough import filter_case
from tests.functional.nova.passthrough.filter_case import BOTH as CHECKS

PROFILE = nova_fixtures.CyborgFixture.dp_name
PORT = str(uuid.UUID(int=7))

#: Extra spec and value; the list of the policy that allows it, by name.
FLAVORS = (
    ("accel:device_profile", PROFILE, "device_profiles", PROFILE),
    ("resources:VGPU", "1", "mdev", "VGPU"),
    ("resources1:VGPU", "2", "mdev", "VGPU"),
    ("resources_GPU:CUSTOM_NVIDIA_11", "1", "mdev", "CUSTOM_NVIDIA_11"),
)
#: What asks for no device of a host.
PLAIN = (
    {"resources:VCPU": "4"},
    {"resources:VGPU": "0"},
    {"trait:CUSTOM_FAST": "required"},
    {"hw:cpu_policy": "shared"},
)


def allowing(kind, name):
    return f'passthrough: {{allow: {{{kind}: ["{name}"]}}}}\n'


class TestFlavors(filter_case.FilterCase):
    POLICY = ""

    def setUp(self):
        super().setUp()
        self.hosts = [self.proven("host-a", *CHECKS), self.state("host-b")]

    def test_each_is_allowed_by_name_and_needs_a_proven_host(self):
        for spec, value, kind, name in FLAVORS:
            asked = self.spec({spec: value})
            for policy, allowed in (
                ("", "no value"),
                (allowing(kind, "something_else"), "something_else"),
            ):
                self.write_policy(policy)
                self.assertEqual(
                    f"flavor extra spec {spec} asks for {name} (allowed: "
                    f"{allowed})",
                    self.reason(self.hosts, asked),
                )
            self.write_policy(allowing(kind, name))
            self.assertEqual(["host-a"], self.left(self.hosts, asked), spec)
            reason = self.reason(self.hosts[1:], asked)
            self.assertIn("no host with room", reason)

    def test_everything_else_is_no_passthrough(self):
        for specs in PLAIN:
            left = self.left(self.hosts, self.spec(specs))
            self.assertEqual(["host-a", "host-b"], left, specs)
        self.assertEqual([], self.asked)


class TestRequestGroups(filter_case.FilterCase):
    """Nova's request groups from Cyborg's answer, for flavor and port."""

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

    def test_the_groups_of_a_flavors_profile_are_not_judged_twice(self):
        self.write_policy(allowing("device_profiles", PROFILE))
        specs = {"accel:device_profile": PROFILE}
        asked = self.spec(specs, requested_resources=self.groups())
        self.assertEqual(["host-a"], self.left(self.hosts, asked))

    def test_a_port_with_bandwidth_is_no_passthrough(self):
        wanted = filter_case.groups(PORT, None)
        asked = self.spec({}, requested_resources=wanted)
        self.assertEqual(["host-a", "host-b"], self.left(self.hosts, asked))
