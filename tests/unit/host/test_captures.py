# SPDX-License-Identifier: Apache-2.0
"""Tests of the reporter's results for every captured machine.

The expected results were read from the registers of its IOMMU.
"""

import json

import pytest

from nova_vhard.cmd import reporter
from nova_vhard.host.check import Status
from tests.trees import CAPTURES, capture

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN

NAMES = ("iommu", "interrupt_remapping", "iommu_strict", "tpm_measured_boot")

#: Machine to the answers of these checks.
EXPECTED = {
    "amdvi": (PASS, PASS, PASS, FAIL),
    "amdvi-xt": (PASS, PASS, PASS, FAIL),
    "apparmor-host": (FAIL, FAIL, FAIL, UNKNOWN),
    "arm-acpi-none": (FAIL, UNKNOWN, FAIL, FAIL),
    "arm-none": (FAIL, UNKNOWN, FAIL, FAIL),
    "none": (FAIL, FAIL, FAIL, FAIL),
    "selinux-host-permissive": (FAIL, FAIL, FAIL, FAIL),
    "smmuv3": (PASS, PASS, PASS, FAIL),
    "smmuv3-acpi": (PASS, PASS, PASS, FAIL),
    "smmuv3-pt": (PASS, PASS, FAIL, FAIL),
    "smmuv3-v2m": (PASS, FAIL, PASS, FAIL),
    "vtd-nointremap": (PASS, FAIL, PASS, FAIL),
    "vtd-off": (FAIL, PASS, FAIL, UNKNOWN),
    "vtd-on": (PASS, PASS, FAIL, FAIL),
    "vtd-tpm": (PASS, PASS, PASS, PASS),
}

#: These are states of guests, which have no host of their own.
GUESTS = {"apparmor-domains", "selinux-domains-permissive"}

#: What would not be true on a platform.
ELSEWHERE = {
    "amdvi": ("VT-d", "intel_iommu", "SMMU"),
    "arm-none": ("VT-d", "AMD-Vi", "intel_iommu", "amd_iommu"),
    "smmuv3": ("VT-d", "AMD-Vi", "intel_iommu", "amd_iommu"),
    "smmuv3-v2m": ("VT-d", "AMD-Vi", "intremap", "firmware"),
    "vtd-nointremap": ("AMD-Vi", "amd_iommu", "SMMU"),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return what makes the reporter check a captured tree, each once."""
    folder = tmp_path_factory.mktemp("captures")
    kept = {}

    def checked(name, capsys):
        if name not in kept:
            root = capture(name, folder)
            code = reporter.main(["check", "--root", root, "-f", "json"])
            content = json.loads(capsys.readouterr().out)["results"]
            kept[name] = code, {each["check"]: each for each in content}
        return kept[name]

    return checked


def test_every_capture_is_expected_to_say_something():
    names = {path.name.removesuffix(".tar.gz") for path in CAPTURES.iterdir()}
    assert names == set(EXPECTED) | GUESTS


@pytest.mark.parametrize("name", EXPECTED)
def test_answers(results, capsys, name):
    code, result = results(name, capsys)
    assert tuple(result[check]["status"] for check in NAMES) == EXPECTED[name]
    statuses = {each["status"] for each in result.values()}
    assert code == (1 if "FAIL" in statuses else 2)


@pytest.mark.parametrize("name", EXPECTED)
def test_each_answer_has_a_next_step_of_its_own(results, capsys, name):
    _, result = results(name, capsys)
    failing = {
        each["remediation"]
        for each in result.values()
        if each["status"] == "FAIL"
    }
    for each in result.values():
        bad = each["status"] in ("FAIL", "UNKNOWN")
        assert bool(each["remediation"]) == bad
        if each["status"] == "UNKNOWN" and not name.endswith("-none"):
            assert each["remediation"] not in failing


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_remedy_is_true_on_its_platform(results, capsys, name):
    _, result = results(name, capsys)
    steps = " ".join(result[check]["remediation"] or "" for check in NAMES[:3])
    assert not [word for word in ELSEWHERE[name] if word in steps]


def test_one_name_has_one_meaning(results, capsys):
    """Names keep one meaning for lazy and identity-mapped IOMMUs.

    Lazy invalidation is translation, but not what the kernel calls strict; an
    identity map does not translate addresses of the host.
    """
    _, lazy = results("vtd-nointremap", capsys)
    assert "lazy" in lazy["iommu_strict"]["reason"]
    _, strict = results("smmuv3", capsys)
    assert strict["iommu_strict"]["reason"].endswith("strict invalidation")
    _, identity = results("smmuv3-pt", capsys)
    assert "bypass" in identity["iommu"]["reason"]
