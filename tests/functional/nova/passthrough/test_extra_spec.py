# SPDX-License-Identifier: Apache-2.0
"""``vhard:require``: what a flavor demands of its host."""

from nova_vhard.catalogue.checks import CHECKS
from tests.functional.nova import helpers
from tests.functional.nova.passthrough import filter_case, fleet

SPEC = "vhard:require"
NAMES = "iommu, interrupt_remapping, iommu_strict, kernel_aslr"
#: Extra spec and value, to what Nova's API answers since 2.86, and what the
#: answer names.
WRITTEN = {
    **dict.fromkeys(
        ((SPEC, value) for value in ("novel", "iommu,novel", "", "iommu,")),
        (400, "iommu_strict"),
    ),
    (SPEC, "IOMMU"): (400, "iommu_strict"),
    (SPEC, "*"): (400, "iommu_strict"),
    ("vhard:requires", "iommu"): (400, "vhard:requires"),
    **dict.fromkeys(
        ((SPEC, value) for value in (*CHECKS, "iommu,kernel_aslr", NAMES)),
        (200, ""),
    ),
    (SPEC, "iommu,attested"): (200, ""),
}


class TestRequire(filter_case.FilterCase):
    POLICY = ""

    def write(self, value, name=SPEC, version="2.86"):
        """Set an extra spec through Nova's API; return the answer."""
        path = f"/v2.1/flavors/1/os-extra_specs/{name}"
        body = {name: value}
        return self.call(
            "PUT", path, body, roles=helpers.ADMIN, version=version
        )

    def test_novas_api_takes_names_of_checks_alone(self):
        for (name, value), (status, named) in WRITTEN.items():
            response = self.write(value, name)
            self.assertEqual(status, response.status_int, (name, value))
            self.assertIn(named, response.text)

    def test_a_new_flavor_demands_with_any_microversion(self):
        """Before 2.86 Nova asks no validator; the demand holds all the same.

        Nobody knows what this check would be, so that no host has it.
        """
        hosts = [self.proven("host1", "iommu")]
        response = self.write("iommu,novel", version="2.85")
        self.assertEqual(200, response.status_int)

        self.assertEqual(
            fleet.NOBODY.format("iommu, novel")
            + "ask the cloud's operator, or use a flavor without "
            "vhard:require",
            self.reason(hosts, self.spec({SPEC: "iommu,novel"})),
        )
        # Placement is not asked for hosts with a name that does not exist: its
        # answer to the whole question would be 400.
        self.assertEqual(1, len(self.asked))
        self.assertIn("/traits?name=in:CUSTOM_VHARD_IOMMU,", self.asked[0])
