# SPDX-License-Identifier: Apache-2.0
"""Every kind of port, as Nova's own code requests it from a scheduler."""

from nova import context, objects
from nova.network import neutron
from nova.tests import fixtures as nova_fixtures
from nova.tests.functional.libvirt import base as libvirt_base

from nova_vhard.request import passthrough
from tests.functional.nova import verdicts

NEUTRON = libvirt_base.LibvirtNeutronFixture
ACCELERATOR = "accelerator-direct"

#: Neutron's name of a port, and the name in a policy.
KINDS = {
    "normal": None,
    "direct": "vf",
    "macvtap": "vf",
    "virtio-forwarder": "vf",
    "direct-physical": "pf",
    "vdpa": "vdpa",
    "remote-managed": "remote_managed",
}


class TestKinds(verdicts.VerdictCase):
    def setUp(self):
        super().setUp()
        self.neutron = self.useFixture(NEUTRON(self))
        self.useFixture(nova_fixtures.CyborgFixture())

    def read(self, kind, **more):
        """Return what a port of a kind asks for, and the port itself."""
        port = NEUTRON.network_4_port_1 | {"binding:vnic_type": kind} | more
        shown = self.neutron.create_port({"port": port})["port"]
        wanted = objects.NetworkRequestList(
            objects=[objects.NetworkRequest(port_id=shown["id"])]
        )
        pci = objects.InstancePCIRequests(requests=[])
        _, groups, _ = neutron.API().create_resource_requests(
            context.get_admin_context(), wanted, pci
        )
        return passthrough.of_requests(pci.requests, groups), shown

    def test_each_kind_is_told_from_the_others(self):
        for kind, name in KINDS.items():
            result, shown = self.read(kind)
            source = f"port {shown['id']}"
            expected = [] if name is None else [("ports", name, source)]
            self.assertEqual(
                expected,
                [(each.kind, each.name, each.source) for each in result],
            )
            # The API's gate reads the same of the port as Neutron shows it.
            at_the_api = passthrough.of_port(shown)
            self.assertEqual(result, [at_the_api] if at_the_api else [], kind)

    def test_a_port_with_an_accelerator_counts_as_a_device_profile(self):
        profile = nova_fixtures.CyborgFixture.dp_name
        result, port = self.read(ACCELERATOR, device_profile=profile)
        name = f"port {port['id']}"
        self.assertIn(
            ("device_profiles", name, f"accelerator of {name}"),
            [(each.kind, each.name, each.source) for each in result],
        )
