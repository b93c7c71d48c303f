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
        reason = self.refused(networks=ports)
        self.assertIn(
            fleet.NOBODY.format("interrupt_remapping, iommu"), reason
        )

        # and with its proof a server gets it there
        self.prove(base.PROVEN)
        self.later()
        server = self.build(networks=ports)
        self.wait(server, "ACTIVE")
        self.assertEqual(base.PROVEN, self.instance(server).host)
        self.assertIn("<interface type='hostdev'", self.domain_xml(server))


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
        port = shown["id"]
        wanted = objects.NetworkRequestList(
            objects=[objects.NetworkRequest(port_id=port)]
        )
        pci = objects.InstancePCIRequests(requests=[])
        _, groups, _ = neutron.API().create_resource_requests(
            context.get_admin_context(), wanted, pci
        )
        return passthrough.of_requests(pci.requests, groups), shown

    def test_each_kind_is_told_from_the_others(self):
        for kind, name in KINDS.items():
            result, shown = self.read(kind)
            port = shown["id"]
            expected = [] if name is None else [("ports", name)]
            self.assertEqual(
                expected, [(each.kind, each.name) for each in result], kind
            )
            for each in result:
                self.assertEqual(f"port {port}", each.source)
            # the API's gate reads the same of the port as Neutron shows it
            at_the_api = passthrough.of_port(shown)
            self.assertEqual(result, [at_the_api] if at_the_api else [], kind)

    def test_a_port_with_an_accelerator_counts_as_a_device_profile(self):
        profile = nova_fixtures.CyborgFixture.dp_name

        result, shown = self.read(ACCELERATOR, device_profile=profile)
        port = shown["id"]

        self.assertIn(
            ("device_profiles", f"port {port}", f"accelerator of port {port}"),
            [(each.kind, each.name, each.source) for each in result],
        )
