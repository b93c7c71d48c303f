# SPDX-License-Identifier: Apache-2.0
"""Every host check: what it asks, why, and how to mend what it finds.

Data only. The guide is the OpenStack Security Guide, chapter "Hardening the
Virtualization Layers".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class CheckInfo:
    """What the documentation and the reports say of a check.

    :ivar id: number in the documentation, ``Check-Virt-01``
    :ivar name: name in policies, ``iommu``
    :ivar title: one line
    :ivar guide: paragraph of the guide that it serves, or the reason why it
        goes beyond it
    :ivar meaning: what PASS says
    :ivar remediation: what to do when it is not PASS
    """

    id: str
    name: str
    title: str
    guide: str
    meaning: str
    remediation: str


_PASSTHROUGH = "Physical hardware (PCI passthrough)"
_COMPILER = "Compiler hardening"

_CHECKS = (
    CheckInfo(
        id="Check-Virt-01",
        name="iommu",
        title="DMA remapping is on",
        guide=_PASSTHROUGH,
        meaning="The kernel has put PCI devices into IOMMU groups behind a "
        "working Intel or AMD IOMMU, and vfio is not told to do without. "
        "What the kernel command line, the ACPI tables or the log say is "
        "not asked: each of them can say yes while translation is off.",
        remediation="Switch the IOMMU (VT-d, AMD-Vi) on in the firmware and "
        "boot without intel_iommu=off or amd_iommu=off; on Intel add "
        "intel_iommu=on. Unset vfio's enable_unsafe_noiommu_mode.",
    ),
    CheckInfo(
        id="Check-Virt-02",
        name="interrupt_remapping",
        title="Interrupts are remapped",
        guide=_PASSTHROUGH,
        meaning="Every interrupt of a device goes through the IOMMU, so that "
        "a guest cannot forge one for the host, and vfio does not allow "
        "devices without.",
        remediation="Switch interrupt remapping (and x2APIC) on in the "
        "firmware, boot without intremap=off, and unset "
        "allow_unsafe_interrupts of vfio_iommu_type1 and iommufd.",
    ),
    CheckInfo(
        id="Check-Virt-03",
        name="iommu_strict",
        title="Host devices are in translated domains",
        guide=_PASSTHROUGH,
        meaning="No device of the host itself bypasses translation "
        "(identity domains), so that a device that misbehaves reaches its "
        "own buffers only. Batched invalidation (DMA-FQ) passes and is "
        "named in the evidence.",
        remediation="Where there is no IOMMU group, see Check-Virt-01. Else "
        "boot without iommu=pt and iommu.passthrough=1; add "
        "iommu.strict=1 to invalidate at once.",
    ),
    CheckInfo(
        id="Check-Virt-15",
        name="kernel_aslr",
        title="Address spaces are randomized",
        guide=_COMPILER,
        meaning="The kernel places stack, libraries and heap of a position "
        "independent QEMU at random addresses "
        "(kernel.randomize_va_space = 2).",
        remediation="Set kernel.randomize_va_space = 2 in /etc/sysctl.d and "
        "boot without norandmaps.",
    ),
)

#: Every check by its name, in the order of the documentation.
CHECKS: Mapping[str, CheckInfo] = MappingProxyType(
    {check.name: check for check in _CHECKS}
)
