# SPDX-License-Identifier: Apache-2.0
"""Device profiles, mediated devices and accelerators of ports."""

import uuid

from nova import context
from nova.accelerator import cyborg
from nova.tests import fixtures as nova_fixtures

from tests.functional.nova.passthrough import base, filter_case, fleet

CHECKS = ("iommu", "interrupt_remapping")
NOBODY = fleet.NOBODY.format("interrupt_remapping, iommu")
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

    def test_each_is_refused_by_name(self):
        for spec, value, _, name in FLAVORS:
            self.assertEqual(
                f"flavor extra spec {spec} asks for {name} (allowed: no "
                "value)",
                self.reason(self.hosts, self.spec({spec: value})),
            )

    def test_each_is_allowed_by_name_and_needs_a_proven_host(self):
        for spec, value, kind, name in FLAVORS:
            self.write_policy(allowing(kind, name))
            asked = self.spec({spec: value})
            self.assertEqual(["host-a"], self.left(self.hosts, asked), spec)
            self.assertIn(
                "no host with room", self.reason(self.hosts[1:], asked)
            )

    def test_another_name_allows_nothing(self):
        for spec, value, kind, name in FLAVORS:
            self.write_policy(allowing(kind, "something_else"))
            self.assertIn(
                f"asks for {name} (allowed: something_else)",
                self.reason(self.hosts, self.spec({spec: value})),
            )

    def test_everything_else_is_no_passthrough(self):
        for specs in PLAIN:
            self.assertEqual(
                ["host-a", "host-b"],
                self.left(self.hosts, self.spec(specs)),
                specs,
            )
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

    def test_an_accelerator_of_a_port_is_refused(self):
        asked = self.spec({}, requested_resources=self.groups(PORT))

        self.assertEqual(
            f"accelerator of port {PORT} asks for port {PORT} (allowed: no "
            "value)",
            self.reason(self.hosts, asked),
        )

    def test_it_needs_a_proven_host_where_it_is_allowed(self):
        self.write_policy(allowing("device_profiles", "*"))
        asked = self.spec({}, requested_resources=self.groups(PORT))

        self.assertEqual(["host-a"], self.left(self.hosts, asked))

    def test_the_groups_of_a_flavors_profile_are_not_judged_twice(self):
        self.write_policy(allowing("device_profiles", PROFILE))
        asked = self.spec(
            {"accel:device_profile": PROFILE},
            requested_resources=self.groups(),
        )

        self.assertEqual(["host-a"], self.left(self.hosts, asked))

    def test_a_port_with_bandwidth_is_no_passthrough(self):
        asked = self.spec(
            {}, requested_resources=filter_case.groups(PORT, None)
        )

        self.assertEqual(["host-a", "host-b"], self.left(self.hosts, asked))


class TestBoot(base.FakeHosts):
    """A mediated device, through Nova and Placement."""

    POLICY = ""
    TYPE = "CUSTOM_NVIDIA_11"

    def setUp(self):
        super().setUp()
        self._create_resource_class(self.TYPE)
        for host in self.HOSTS:
            self.offer(host)
        self.prove("host2")
        self.wanted = self.flavor({f"resources:{self.TYPE}": "1"})

    def offer(self, host):
        """Put two devices below a host, as nova-compute would."""
        body = {
            "name": f"{host}_pci_0000_81_00_0",
            "parent_provider_uuid": self.provider(host),
        }
        made = self.placement.post(
            "/resource_providers", version="1.20", body=body
        )
        inventory = {"total": 2, "max_unit": 2}
        self._update_inventory(
            made.body["uuid"],
            {
                "resource_provider_generation": 0,
                "inventories": {self.TYPE: inventory},
            },
        )

    def test_refused_then_allowed_where_it_is_proven(self):
        self.assertEqual(
            f"flavor extra spec resources:{self.TYPE} asks for {self.TYPE} "
            "(allowed: no value)",
            self.refused(self.wanted),
        )

        self.write_policy(allowing("mdev", self.TYPE))

        for _ in range(2):
            self.assertEqual("host2", self.lands_on(self.wanted))
        self.assertIn("no host with room", self.refused(self.wanted))
