# SPDX-License-Identifier: Apache-2.0
"""Check results of emulated hosts, compared with the hardware.

The IOMMU's own registers show whether it translates; the kernel's messages are
compared as well.
"""

import os
import pathlib
import re

import pytest

from tests.emulated import host, monitor, record
from tests.emulated.host import Machine

PASS, FAIL, UNKNOWN = "PASS", "FAIL", "UNKNOWN"
NAMES = ("iommu", "interrupt_remapping", "iommu_strict")

# Control registers: SMMU_CR0 and GITS_CTLR of machine virt.
CR0, ITS = 0x09050020, 0x08080000
SMMU_ON, ITS_ON = 1, 1

_VIRT = "-machine virt,gic-version=3,its=on"
# Without its flag of a hypervisor, whose guests the kernel asks nothing of.
_THREADS = (
    "-machine q35,accel=tcg -cpu Skylake-Server,-hypervisor -smp 2,threads=2"
)

_SMMU = (CR0, ITS)
ARM = {
    "Arm, SMMUv3": Machine(f"{_VIRT},iommu=smmuv3", registers=_SMMU),
    "Arm, SMMUv3, ``iommu.passthrough=1``": Machine(
        f"{_VIRT},iommu=smmuv3",
        kernel="iommu.passthrough=1",
        registers=_SMMU,
    ),
    "Arm, SMMUv3, GICv2m": Machine(
        "-machine virt,gic-version=2,iommu=smmuv3", registers=_SMMU
    ),
    "Arm, no SMMU": Machine(_VIRT, registers=_SMMU),
    "Arm, ACPI, SMMUv3": Machine(
        f"{_VIRT},iommu=smmuv3", registers=_SMMU, uefi=True
    ),
    "Arm, ACPI, no SMMU": Machine(_VIRT, registers=_SMMU, uefi=True),
}
PROCESSORS = {
    "threads": Machine(_THREADS),
    "mitigations=off": Machine(_THREADS, kernel="mitigations=off"),
}


@pytest.fixture(scope="module")
def boot(tmp_path_factory):
    """Return what boots a machine, once."""
    made = pathlib.Path(os.environ["NOVA_VHARD_EMULATED_FOLDER"])
    kept = {}

    def booted(start, machine):
        if machine not in kept:
            place = tmp_path_factory.mktemp("host")
            kept[machine] = start(machine, place, made)
        return kept[machine]

    yield booted
    named = {
        name: kept[machine] for name, machine in ARM.items() if machine in kept
    }
    if len(named) == len(ARM):
        kernel = next(iter(named.values())).words["version"]["printed"]
        record.write(named, NAMES, kernel.split()[2].rpartition("-")[0])


def statuses(answers):
    return tuple(answers.statuses[name] for name in NAMES)


def text(answers, check):
    result = answers.checks[check]
    return "\n".join(
        [result["reason"], *result["evidence"], result["remediation"] or ""]
    )


@pytest.mark.parametrize(
    ("name", "smmu", "its", "expected"),
    [
        ("Arm, SMMUv3", True, True, (PASS, PASS, PASS)),
        (
            "Arm, SMMUv3, ``iommu.passthrough=1``",
            *(True, True, (PASS, PASS, FAIL)),
        ),
        ("Arm, SMMUv3, GICv2m", True, False, (PASS, FAIL, PASS)),
        ("Arm, no SMMU", False, True, (FAIL, UNKNOWN, FAIL)),
        ("Arm, ACPI, SMMUv3", True, True, (PASS, PASS, PASS)),
        ("Arm, ACPI, no SMMU", False, True, (FAIL, UNKNOWN, FAIL)),
    ],
)
def test_an_arm_host(boot, name, smmu, its, expected):
    answers = boot(host.arm, ARM[name])
    control, interrupts = answers.registers[CR0], answers.registers[ITS]
    assert (control != monitor.NOTHING and bool(control & SMMU_ON)) == smmu
    assert (interrupts != monitor.NOTHING and bool(interrupts & ITS_ON)) == its
    printed = answers.words["dmesg"]["printed"]
    assert bool(re.search(r"arm-smmu-v3 \S+: ias", printed)) == smmu
    assert ("ACPI: IORT" in printed) == ARM[name].uefi
    assert ("ITS@0x0000000008080000" in printed) == its
    assert statuses(answers) == expected
    for check in NAMES:
        assert not {"VT-d", "AMD-Vi"} & set(text(answers, check).split())


def test_an_arm_device_without_a_driver_is_in_no_group_and_no_fault(boot):
    answers = boot(host.arm, ARM["Arm, SMMUv3"])
    (line,) = (
        line
        for line in answers.checks["iommu"]["evidence"]
        if line.startswith("devices in no group: ")
    )
    # The host bridge, and a network card that nothing was loaded for.
    assert line.endswith(": 0000:00:00.0 0000:00:02.0")
    assert answers.statuses["iommu"] == PASS


def test_threads_and_what_the_kernel_says_of_a_processor(boot):
    answers = boot(host.x86, PROCESSORS["threads"])
    words = answers.words["processor"]
    assert words["smt/active"] == "1"
    assert "SMT vulnerable" in words["mds"]
    assert words["vmscape"] == "Vulnerable"
    assert answers.statuses["smt"] == FAIL
    assert answers.statuses["cpu_mitigations"] == FAIL
    assert answers.statuses["microcode"] == UNKNOWN
    evidence = text(answers, "cpu_mitigations")
    assert f"vulnerabilities/mds: {words['mds']}" in evidence
    assert answers.checks["cpu_mitigations"]["reason"].startswith(
        "a guest can use "
    )


def test_mitigations_that_are_switched_off(boot):
    answers = boot(host.x86, PROCESSORS["mitigations=off"])
    words = answers.words["processor"]
    before = boot(host.x86, PROCESSORS["threads"]).words["processor"]
    # Of the two that only programs can use one is open as well.
    assert before["meltdown"].startswith("Mitigation: PTI")
    assert words["meltdown"] == "Vulnerable"
    assert words["spectre_v2"].startswith("Vulnerable")
    assert not before["spectre_v2"].startswith("Vulnerable")
    assert answers.statuses["cpu_mitigations"] == FAIL
