# SPDX-License-Identifier: Apache-2.0
"""Check results of emulated hosts, compared with the hardware.

The IOMMU's own registers show whether it translates; the kernel's messages are
compared as well.
"""

import os
import pathlib
import re

import pytest

from tests.emulated import host, machine, monitor, record
from tests.emulated.host import CR0, ITS, Machine

PASS, FAIL, UNKNOWN = "PASS", "FAIL", "UNKNOWN"
CHECKS = ("iommu", "interrupt_remapping", "iommu_strict")

_VIRT = "-machine virt,gic-version=3,its=on"
_SMMU = f"{_VIRT},iommu=smmuv3"
#: Name to the machine, whether it has an SMMU and an ITS, and its statuses.
ARM = {
    "Arm, SMMUv3": (Machine(_SMMU), True, True, (PASS, PASS, PASS)),
    "Arm, SMMUv3, ``iommu.passthrough=1``": (
        Machine(_SMMU, kernel="iommu.passthrough=1"),
        *(True, True, (PASS, PASS, FAIL)),
    ),
    "Arm, SMMUv3, GICv2m": (
        Machine("-machine virt,gic-version=2,iommu=smmuv3"),
        *(True, False, (PASS, FAIL, PASS)),
    ),
    "Arm, no SMMU": (Machine(_VIRT), False, True, (FAIL, UNKNOWN, FAIL)),
    "Arm, ACPI, SMMUv3": (
        Machine(_SMMU, uefi=True),
        *(True, True, (PASS, PASS, PASS)),
    ),
    "Arm, ACPI, no SMMU": (
        Machine(_VIRT, uefi=True),
        *(False, True, (FAIL, UNKNOWN, FAIL)),
    ),
}
# Without its flag of a hypervisor, whose guests the kernel asks nothing of.
_THREADS = (
    "-machine q35,accel=tcg -m 1024 "
    "-cpu Skylake-Server,-hypervisor -smp 2,threads=2"
)


@pytest.fixture(scope="module")
def boot(tmp_path_factory):
    """Return a function that boots each Arm host once, by its name."""
    made = pathlib.Path(os.environ["NOVA_VHARD_EMULATED_FOLDER"])
    kept = {}

    def booted(name):
        if name not in kept:
            place = tmp_path_factory.mktemp("host")
            kept[name] = host.boot(ARM[name][0], place, made)
        return kept[name]

    yield booted
    if len(kept) == len(ARM):
        kernel = kept["Arm, SMMUv3"].version.split()[2].rpartition("-")[0]
        text = f"QEMU {machine.version()}, Linux {kernel}"
        header = ("Machine", "Registers", *(f"``{x}``" for x in CHECKS))
        rows = [(name, *cells(kept[name])) for name in ARM]
        record.write("NOVA_VHARD_RECORD_HOSTS", text, [header, *rows])


def cells(answers):
    """Yield the cells of a host in the record: registers and statuses."""
    values = [
        "none" if value == monitor.NOTHING else f"``{value:#x}``"
        for value in (answers.registers[CR0], answers.registers[ITS])
    ]
    yield "SMMU_CR0 {}, GITS_CTLR {}".format(*values)
    yield from (answers.checks[check]["status"] for check in CHECKS)


def text(result):
    return "\n".join(
        [result["reason"], *result["evidence"], result["remediation"] or ""]
    )


@pytest.mark.parametrize("name", ARM)
def test_an_arm_host(boot, name):
    booted, smmu, its, statuses = ARM[name]
    answers = boot(name)
    on = {
        address: value != monitor.NOTHING and bool(value & 1)
        for address, value in answers.registers.items()
    }
    assert on == {CR0: smmu, ITS: its}
    printed = answers.dmesg
    assert bool(re.search(r"arm-smmu-v3 \S+: ias", printed)) == smmu
    assert ("ACPI: IORT" in printed) == booted.uefi
    assert ("ITS@0x0000000008080000" in printed) == its
    results = [answers.checks[check] for check in CHECKS]
    assert tuple(each["status"] for each in results) == statuses
    for each in results:
        assert not {"VT-d", "AMD-Vi"} & set(text(each).split())


def test_an_arm_device_without_a_driver_is_in_no_group_and_no_fault(boot):
    iommu = boot("Arm, SMMUv3").checks["iommu"]
    (line,) = (
        line
        for line in iommu["evidence"]
        if line.startswith("devices in no group: ")
    )
    # The host bridge, and a network card that nothing was loaded for.
    assert line.endswith(": 0000:00:00.0 0000:00:02.0")
    assert iommu["status"] == PASS


@pytest.fixture(scope="module")
def processors(tmp_path_factory):
    """Return the facts of a host by default, and with ``mitigations=off``."""
    return [
        machine.run(
            tmp_path_factory.mktemp("host"),
            *("host_inside.py", _THREADS, kernel),
        )
        for kernel in ("", "mitigations=off")
    ]


def test_threads_and_mitigations_of_a_processor(processors):
    answers, _ = processors
    words = answers["processor"]
    assert words["active"] == "1"
    assert "SMT vulnerable" in words["mds"]
    assert words["vmscape"] == "Vulnerable"
    checks = ("smt", "cpu_mitigations", "microcode")
    statuses = [answers[check]["status"] for check in checks]
    assert statuses == [FAIL, FAIL, UNKNOWN]
    mitigations = answers["cpu_mitigations"]
    assert f"vulnerabilities/mds: {words['mds']}" in text(mitigations)
    assert mitigations["reason"].startswith("a guest can use ")


def test_mitigations_that_are_switched_off(processors):
    before, after = (answers["processor"] for answers in processors)
    # Of the two that only programs can use one is open as well.
    assert before["meltdown"].startswith("Mitigation: PTI")
    assert after["meltdown"] == "Vulnerable"
    assert after["spectre_v2"].startswith("Vulnerable")
    assert not before["spectre_v2"].startswith("Vulnerable")
    assert processors[1]["cpu_mitigations"]["status"] == FAIL
