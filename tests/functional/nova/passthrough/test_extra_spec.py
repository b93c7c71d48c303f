# SPDX-License-Identifier: Apache-2.0
"""``vhard:require``: what a flavor demands of its host."""

from nova_vhard.catalogue.checks import CHECKS
from tests.functional.nova import helpers
from tests.functional.nova.passthrough import base, fleet

SPEC = "vhard:require"
NAMES = "iommu, interrupt_remapping, iommu_strict, kernel_aslr"


class Require(base.FakeHosts):
    POLICY = ""

    def write(self, value, name=SPEC, version="2.86"):
        """Set an extra spec through Nova's API; return the answer."""
        path = f"/v2.1/flavors/1/os-extra_specs/{name}"
        body = {name: value}
        return self.call(
            "PUT", path, body, roles=helpers.ADMIN, version=version
        )


class TestWriting(Require):
    HOSTS = ()

    def test_novas_api_refuses_what_is_no_check(self):
        for value in ("novel", "iommu,novel", "", "iommu,", "IOMMU", "*"):
            response = self.write(value)
            self.assertEqual(400, response.status_int, value)
            self.assertIn("iommu_strict", response.text)

    def test_novas_api_refuses_a_name_that_is_not_known(self):
        response = self.write("iommu", name="vhard:requires")

        self.assertEqual(400, response.status_int)
        self.assertIn("vhard:requires", response.text)

    def test_novas_api_accepts_names_of_checks(self):
        for value in (*CHECKS, "iommu,kernel_aslr", NAMES):
            response = self.write(value)
            self.assertEqual(200, response.status_int, response.text)


class TestEffect(Require):
    def test_a_new_flavor_demands_with_any_microversion(self):
        """Before 2.86 Nova asks no validator; the demand holds all the same.

        Nobody knows what this check would be, so that no host has it.
        """
        self.prove(*self.HOSTS)
        response = self.write("iommu,novel", version="2.85")
        self.assertEqual(200, response.status_int)

        reason = self.refused()

        self.assertEqual(
            fleet.NOBODY.format("iommu, novel")
            + "ask the cloud's operator, or use a flavor without "
            "vhard:require",
            reason,
        )
        # Placement is not asked for hosts with a name that does not exist: its
        # answer to the whole question would be 400.
        self.assertEqual(1, len(self.asked))
        self.assertIn("/traits?name=in:CUSTOM_VHARD_IOMMU,", self.asked[0])

    def test_it_lands_on_the_host_that_has_passed_them_all(self):
        # given a host with some of the checks, and one with all
        self.prove("host1", tree="none")
        self.prove("host2")
        self.write("kernel_aslr, iommu")

        for _ in range(2):
            self.assertEqual("host2", self.lands_on())

        # when nobody has passed all of them any more
        self.prove("host2", tree="vtd-off")
        self.later()

        # then another flavor still boots
        self.assertIn(
            fleet.NOBODY.format("iommu, kernel_aslr"), self.refused()
        )
        self.lands_on("2")

    def test_the_mode_of_the_policy_does_not_soften_it(self):
        self.write_policy("mode: audit\n")
        self.write("iommu")

        self.assertIn("or use a flavor without vhard:require", self.refused())
