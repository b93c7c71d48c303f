# SPDX-License-Identifier: Apache-2.0
"""What ``openstack vhard flavor sync`` would do to a flavor."""

from types import SimpleNamespace

import pytest

from nova_vhard.policy.model import PassthroughRule, Values
from nova_vhard.request.flavor_traits import plan_traits

RULE = PassthroughRule(
    allow={
        "aliases": Values(("gpu",)),
        "device_profiles": Values(("*",)),
        "mdev": Values(("VGPU",)),
    },
    require=frozenset(("iommu", "interrupt_remapping")),
)
ALIAS = {"pci_passthrough:alias": "gpu:1"}
IOMMU = "trait:CUSTOM_VHARD_IOMMU"
REMAPPING = "trait:CUSTOM_VHARD_INTERRUPT_REMAPPING"
ASLR = "trait:CUSTOM_VHARD_KERNEL_ASLR"


def made(specs):
    flavor = SimpleNamespace(name="f", extra_specs=specs)
    return plan_traits(flavor, RULE)


@pytest.mark.parametrize(
    ("specs", "lacks", "surplus"),
    [
        (ALIAS, {IOMMU, REMAPPING}, set()),
        ({**ALIAS, IOMMU: "required"}, {REMAPPING}, set()),
        (
            {**ALIAS, IOMMU: "required", REMAPPING: "required"},
            set(),
            set(),
        ),
        # Forbidden is not required.
        ({**ALIAS, IOMMU: "forbidden"}, {IOMMU, REMAPPING}, set()),
        # Nothing demands it any more.
        ({IOMMU: "required"}, set(), {IOMMU}),
        # The flavor's own demand.
        ({"vhard:require": "kernel_aslr"}, {ASLR}, set()),
        (
            {"vhard:require": "kernel_aslr", ASLR: "required"},
            set(),
            set(),
        ),
        ({"resources:VGPU": "1"}, {IOMMU, REMAPPING}, set()),
        ({"accel:device_profile": "fpga"}, {IOMMU, REMAPPING}, set()),
    ],
)
def test_what_a_flavor_needs(specs, lacks, surplus):
    result = made({**specs, "trait:CUSTOM_OTHER": "required"})
    assert set(result.lacks) == lacks
    assert set(result.surplus) == surplus


@pytest.mark.parametrize(
    "specs",
    [{}, None, {"hw:cpu_policy": "dedicated"}, {"trait:X": "required"}],
)
def test_a_flavor_that_has_nothing_to_do_with_us(specs):
    assert made(specs) is None


@pytest.mark.parametrize("specs", [ALIAS, {"resources:VGPU": "1"}])
def test_a_kind_that_the_policy_does_not_name_is_not_allowed(specs):
    rule = PassthroughRule(allow={}, require=RULE.require)
    assert plan_traits(SimpleNamespace(extra_specs=specs), rule) is None


def test_what_is_asked_for_is_named_with_its_kind():
    plan = made({**ALIAS, IOMMU: "required"})
    assert plan.flavor.name == "f"
    assert plan.required == {
        "CUSTOM_VHARD_IOMMU",
        "CUSTOM_VHARD_INTERRUPT_REMAPPING",
    }
    assert plan.passthrough == ("aliases: gpu",)
    assert plan.lacks == (REMAPPING,)
    assert plan.differs
