# SPDX-License-Identifier: Apache-2.0
"""Devices that a port asks for."""

from nova import context, objects
from nova.network import neutron
from nova.tests import fixtures as nova_fixtures
from nova.tests.functional.libvirt import base as libvirt_base

from nova_vhard.request import passthrough
from tests.functional.nova.passthrough import base, fleet

NEUTRON = libvirt_base.LibvirtNeutronFixture
ACCELERATOR = "accelerator-direct"

#: What Neutron calls a port, and what a policy calls it.
KINDS = {
    "normal": None,
    "direct": "vf",
    "macvtap": "vf",
    "virtio-forwarder": "vf",
    "direct-physical": "pf",
    "vdpa": "vdpa",
    "remote-managed": "remote_managed",
}


class TestBoot(base.Devices):
    POLICY = "passthrough: {allow: {aliases: [gpu], ports: [pf]}}\n"

    def test_it_lands_on_the_proven_host_only(self):
        # given a port for a virtual function that is not allowed
        port = self.port()
        ports = [{"port": port}]
        reason = self.refused(networks=ports)
        self.assertEqual(f"port {port} asks for vf (allowed: pf)", reason)

        # when it is allowed, and no host has proven anything
        self.write_policy(base.ALLOWED)
        self.prove(base.OTHER, tree="vtd-off")
        self.later()
        self.assertIn(
            fleet.NOBODY.format("interrupt_remapping, iommu"),
            self.refused(networks=ports),
        )

        # then with its proof a server gets it there
        self.prove(base.PROVEN)
        self.later()
        self.assertEqual(base.PROVEN, self.lands_on(networks=ports))


class TestSeveral(base.Devices):
    """Servers of one request; each host has two devices."""

    def several(self, number):
        """Boot servers in one request; return their ids."""
        before = {server["id"] for server in self.servers()}
        self.build(self.wanted, min_count=number, max_count=number)
        return {server["id"] for server in self.servers()} - before

    def test_none_is_left_half_made_or_on_another_host(self):
        self.prove(base.PROVEN)
        self.wanted = self.gpu()
        # when one too many is asked for, then none boots
        for server in self.several(3):
            self.fault(server)
            self.assertEqual({}, self.allocations(server))
        for server in self.several(2):
            self.wait(server, "ACTIVE")
            self.assertEqual(base.PROVEN, self.instance(server).host)


class TestKinds(base.FakeHosts):
    """Every kind of port, read from Nova's own requests."""

    HOSTS = ()

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
            # the API's gate reads the same of the port as Neutron shows it
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
