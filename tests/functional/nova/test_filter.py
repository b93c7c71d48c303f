# SPDX-License-Identifier: Apache-2.0
"""The filter alone, on Nova's own HostStates and RequestSpecs."""

from nova import exception, objects
from nova.scheduler import filters, host_manager

from tests.functional.nova import base, helpers

KNOWN = ("QEMU", "qemu", "KVM", "fake")
OTHERS = ("ironic", "VMware vCenter Server", "hyperv", "z/VM")


class TestFilter(base.FakeDriverCase):
    API_GATE = None
    HOSTS = ()

    def setUp(self):
        super().setUp()
        from nova_vhard.gates.scheduler import VirtHardeningFilter

        self.filter = VirtHardeningFilter()

    def host(self, hypervisor_type):
        """Return a host; None stands for one that has not reported yet."""
        host = host_manager.HostState(str(hypervisor_type), "node", "cell")
        host.hypervisor_type = hypervisor_type
        return host

    def passed(self, hosts, spec):
        """Return the hosts that are left by Nova's own handler."""
        return filters.HostFilterHandler().get_filtered_objects(
            [self.filter], hosts, spec
        )

    def test_an_allowed_request_keeps_every_host(self):
        hosts = [self.host(each) for each in (*KNOWN, *OTHERS, None)]
        self.assertEqual(
            hosts, self.passed(hosts, self.spec_of(helpers.CLEAN))
        )

    def test_a_refused_one_keeps_the_hosts_that_are_not_judged(self):
        judged = [self.host(each) for each in (*KNOWN, None)]
        others = [self.host(each) for each in OTHERS]
        spec = self.spec_of(helpers.IDE)

        self.assertEqual(others, self.passed([*judged, *others], spec))

    def test_a_host_that_has_not_reported_yet_is_judged(self):
        self.assertRaises(
            exception.NoValidHost,
            self.passed,
            [self.host(None)],
            self.spec_of(helpers.IDE),
        )

    def test_no_host_at_all(self):
        """Nova asks no filter then; the filter must not mind."""
        clean = self.spec_of(helpers.CLEAN)
        self.assertEqual([], self.filter.filter_all([], clean))

    def test_old_request_specs_lack_attributes(self):
        spec = self.spec_of(helpers.CLEAN)
        host = self.host("QEMU")
        self.assertEqual([host], self.passed([host], spec))

        bare = objects.RequestSpec(
            spec._context,
            flavor=objects.Flavor(name="f", flavorid="1"),
            instance_uuid=spec.instance_uuid,
            image=None,
        )
        self.assertEqual([host], self.passed([host], bare))

    def test_a_rebuild_is_judged(self):
        hints = {"_nova_check_type": ["rebuild"]}
        spec = self.spec_of(
            helpers.IDE, scheduler_hints=hints, force_hosts=["host1"]
        )

        self.assertRaises(
            exception.NoValidHost, self.passed, [self.host("QEMU")], spec
        )

    def test_it_is_asked_once_a_request(self):
        self.assertTrue(self.filter.run_filter_for_index(0))
        self.assertFalse(self.filter.run_filter_for_index(1))
