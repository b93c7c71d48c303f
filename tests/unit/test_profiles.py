# SPDX-License-Identifier: Apache-2.0
"""Profiles of checks, wherever checks are named."""

import pytest

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.catalogue.profiles import PROFILES, expand
from nova_vhard.common.problems import PolicyError
from nova_vhard.policy import document
from nova_vhard.request import passthrough
from tests.unit import docs

PASSTHROUGH = frozenset(PROFILES["hosts-passthrough"].checks)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_a_profile_is_a_set_of_checks_that_exist(profile):
    assert set(profile.checks) <= CHECKS.keys()
    assert len(set(profile.checks)) == len(profile.checks)
    assert profile.name not in CHECKS


def test_a_profile_stands_for_its_checks_beside_others():
    assert expand(["hosts-passthrough", "kernel_aslr", "novel"]) == {
        *PASSTHROUGH,
        "kernel_aslr",
        "novel",
    }


POLICY = """
version: "1"
extends: baseline
passthrough: {require: [hosts-passthrough, iommu_strict]}
hosts: {require: [hosts-strict]}
exemptions:
  - id: old-hosts
    reason: no TPM in them
    projects: [p]
    rules: {hosts.require: [hosts-baseline, tpm_measured_boot]}
    until: 2099-01-01
"""


def test_in_a_policy(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    policy = document.load(str(path))
    assert policy.passthrough.require == PASSTHROUGH | {"iommu_strict"}
    assert policy.hosts.require == set(PROFILES["hosts-strict"].checks)
    lifted = policy.exemptions[0].rules["hosts.require"]
    assert "tpm_measured_boot" in lifted
    assert "qemu_relro" in lifted
    assert "qemu_minimal" not in lifted


def test_a_wrong_name_is_told_the_nearest_profile(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text('version: "1"\nhosts: {require: [hosts-pasthrough]}\n')
    with pytest.raises(PolicyError) as error:
        document.load(str(path))
    assert "did you mean 'hosts-passthrough'?" in str(error.value)


def test_in_a_flavor():
    specs = {"vhard:require": "hosts-passthrough, kernel_aslr"}
    assert passthrough.host_checks(specs) == PASSTHROUGH | {"kernel_aslr"}


def test_the_page_has_every_profile_in_full():
    text = docs.extension().profiles()
    for profile in PROFILES.values():
        assert f"``{profile.name}``" in text
        for check in profile.checks:
            assert f"``{check}``" in text
