# SPDX-License-Identifier: Apache-2.0
"""Flavors: what a refusal says to do, done."""

from nova_vhard.catalogue import traits
from tests import following
from tests.functional.nova import fixes, helpers

TRAITS = [
    f"trait:{traits.of_check(name)}"
    for name in ("iommu", "interrupt_remapping")
]


class TestFlavors(fixes.Fixes):
    """Devices of the host, by a flavor."""

    SPECS = (
        {"pci_passthrough:alias": "gpu:1"},
        {"accel:device_profile": "fpga"},
        {"resources:VGPU": "1"},
    )

    def test_a_boot(self):
        for specs in self.SPECS:
            required = dict.fromkeys(TRAITS, "required")
            flavor = self._create_flavor(extra_spec={**specs, **required})
            text = self.explained(self.boot(self.owned(), flavorRef=flavor))
            (step,) = following.steps(text)
            self.assertEqual("flavor", step.kind)
            self.passes(self.boot(self.owned(), flavorRef="1"), text)

    def write(self, flavor, specs):
        path = f"/v2.1/flavors/{flavor}/os-extra_specs"
        body = {"extra_specs": specs}
        return self.call("POST", path, body, roles=helpers.ADMIN)

    def test_a_write(self):
        for specs in self.SPECS:
            flavor = self._create_flavor()
            text = self.explained(self.write(flavor, specs))
            self.assertIn("until passthrough.allow has ", text)
            (step,) = following.steps(text)
            self.passes(self.write(flavor, {**specs, **step.given}), text)

    def test_a_write_of_what_servers_may_have(self):
        self.write_policy("passthrough: {allow: {aliases: [gpu]}}\n")
        flavor = self._create_flavor()
        text = self.explained(self.write(flavor, self.SPECS[0]))
        self.assertNotIn("until passthrough.allow", text)
        (step,) = following.steps(text)
        again = {**self.SPECS[0], **step.given}
        self.passes(self.write(flavor, again), text)
