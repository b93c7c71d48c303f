# SPDX-License-Identifier: Apache-2.0
"""The filter alone, on Nova's own HostStates and RequestSpecs."""

from nova import exception, objects
from nova.scheduler import filters, host_manager

from tests.functional.nova import helpers, service, verdicts

#: None is a host that has not reported its type yet.
JUDGED = ("QEMU", "qemu", "KVM", "fake", None)
OTHERS = ("ironic", "VMware vCenter Server", "hyperv", "z/VM")


def host(hypervisor_type):
    """Return a host of a type."""
    made = host_manager.HostState(str(hypervisor_type), "node", "cell")
    made.hypervisor_type = hypervisor_type
    return made


class TestFilter(verdicts.VerdictCase):
    def setUp(self):
        super().setUp()
        from nova_vhard.gates.scheduler import VirtHardeningFilter

        self.filter = VirtHardeningFilter()
        self.judged = [host(each) for each in JUDGED]
        self.others = [host(each) for each in OTHERS]

    def passed(self, hosts, spec):
        """Return the hosts that are left by Nova's own handler."""
        return filters.HostFilterHandler().get_filtered_objects(
            [self.filter], hosts, spec
        )

    def test_an_allowed_request_keeps_every_host(self):
        clean = self.spec_of(helpers.CLEAN)
        hosts = [*self.judged, *self.others]
        self.assertEqual(hosts, self.passed(hosts, clean))
        # Nova asks no filter about no host; the filter must not mind.
        self.assertEqual([], self.filter.filter_all([], clean))

    def test_a_refused_request(self):
        spec = self.spec_of(helpers.IDE)
        hosts = [*self.judged, *self.others]
        self.assertEqual(self.others, self.passed(hosts, spec))
        hints = {"_nova_check_type": ["rebuild"]}
        rebuild = self.spec_of(
            helpers.IDE, scheduler_hints=hints, force_hosts=["host1"]
        )
        for request in (spec, rebuild):
            for each in self.judged:
                self.assertRaises(
                    exception.NoValidHost, self.passed, [each], request
                )

    def test_a_policy_may_judge_every_type(self):
        service.write_policy(
            self.policy_file,
            "applies_to: {hypervisor_type: [QEMU, ironic]}\n",
            header='version: "1"\nextends: baseline\n',
        )
        hosts = [host("QEMU"), host("ironic")]
        spec = self.spec_of(helpers.IDE)
        self.assertRaises(exception.NoValidHost, self.passed, hosts, spec)

    def test_old_request_specs_lack_attributes(self):
        spec = self.spec_of(helpers.CLEAN)
        bare = objects.RequestSpec(
            spec._context,
            flavor=objects.Flavor(name="f", flavorid="1"),
            instance_uuid=spec.instance_uuid,
            image=None,
        )
        hosts = self.judged[:1]
        self.assertEqual(hosts, self.passed(hosts, bare))

    def test_it_is_asked_once_a_request(self):
        self.assertTrue(self.filter.run_filter_for_index(0))
        self.assertFalse(self.filter.run_filter_for_index(1))
