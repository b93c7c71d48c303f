# SPDX-License-Identifier: Apache-2.0
"""Platform of a host, and the remediations that depend on it.

Intel, AMD and Arm need different remediations for the IOMMU and interrupts, so
they are chosen by the host's hardware.
"""

import enum
import re

from nova_vhard.host.root import HostRoot, Unreadable

_CPUINFO = "/proc/cpuinfo"
# Documentation/ABI/testing/sysfs-hypervisor-xen.
_XEN = "/sys/hypervisor/type"
_KIND, _UUID = "/sys/hypervisor/guest_type", "/sys/hypervisor/uuid"
# What has a virtual processor of its own; the control domain's identity.
_WHOLE, _NIL = ("HVM", "PVH"), frozenset("0-")

_UNITS = "/sys/class/iommu"

# Names of the kernel's drivers in /sys/class/iommu, by their beginning.
_DRIVEN = {"dmar": "intel", "ivhd": "amd", "smmu": "arm"}
_SIGNS = {
    "GenuineIntel": "intel",
    "AuthenticAMD": "amd",
    "HygonGenuine": "amd",
    "CPU implementer": "arm",
    "PowerNV": "power",
    "pSeries": "power",
    "IBM/S390": "z",
}

# X86_FEATURE_HYPERVISOR: CPUID leaf 1, ECX bit 31.
_VIRTUAL = re.compile(r"^flags\s*:.* hypervisor\b", re.MULTILINE)


class Platform(enum.StrEnum):
    """Hardware that isolates devices from each other."""

    INTEL = "intel"
    AMD = "amd"
    ARM = "arm"
    POWER = "power"
    Z = "z"
    OTHER = "other"


#: Those of which nothing was measured: devices are in groups there although
#: ``/sys/class/iommu`` may be empty, and controllers of interrupts have names
#: that mean something else than on x86.
UNMEASURED = (Platform.POWER, Platform.Z)

_BELOW = " In a virtual machine, configure its hypervisor to provide it."

IOMMU_OFF = {
    Platform.INTEL: "Enable VT-d in the firmware, and boot with "
    f"intel_iommu=on and without intel_iommu=off.{_BELOW}",
    Platform.AMD: "Enable AMD-Vi (often called IOMMU) in the firmware, and "
    f"boot without amd_iommu=off.{_BELOW}",
    Platform.ARM: "Enable the SMMU in the firmware, which must describe it "
    "to the kernel (IORT or device tree). A machine without "
    "an SMMU cannot isolate a device from the host's memory: "
    "do not offer its devices.",
    Platform.OTHER: "Enable the machine's IOMMU in the firmware and in the "
    "kernel. Without an IOMMU, do not offer its devices.",
}

INTERRUPTS_DIRECT = {
    Platform.INTEL: "Enable interrupt remapping (and x2APIC) in the "
    f"firmware, and boot without intremap=off.{_BELOW}",
    Platform.AMD: "Enable AMD-Vi in the firmware, and boot without "
    f"amd_iommu=off and intremap=off.{_BELOW}",
    Platform.ARM: "This machine cannot pass the check: only an interrupt "
    "controller with an ITS (GICv3 or later) distinguishes "
    "devices. Do not offer this machine's devices to guests.",
    Platform.OTHER: "Without an interrupt controller that distinguishes "
    "devices, do not offer this machine's devices to "
    "guests.",
}

NO_XEN = (
    "Nova 31 and later cannot start guests under Xen: boot the kernel "
    "without the Xen hypervisor."
)
NOT_VERIFIED = (
    "This check was not verified against the hardware of this platform, so "
    "it cannot pass here. Do not require it of such hosts, and do not "
    "offer their devices where you need it."
)


def of(root: HostRoot) -> Platform:
    """Return the platform of a host, OTHER where it does not say."""
    try:
        units = " ".join(root.names(_UNITS))
    except Unreadable:
        units = ""
    try:
        text = root.peek(_CPUINFO)
    except Unreadable:
        text = ""
    # A virtual machine may have the IOMMU of another maker.
    signs = {sign: name for sign, name in _DRIVEN.items() if sign in units}
    signs |= {sign: name for sign, name in _SIGNS.items() if sign in text}
    # The first wins: _DRIVEN is in front of _SIGNS.
    return Platform(next(iter(signs.values()), Platform.OTHER))


def of_processor(root: HostRoot) -> Platform:
    """Return the maker of a host's processor, OTHER where it does not say.

    :raises Unreadable: if the kernel's description cannot be read
    """
    text = root.peek(_CPUINFO)
    signs = (maker for sign, maker in _SIGNS.items() if sign in text)
    return Platform(next(signs, Platform.OTHER))


def is_virtual(root: HostRoot) -> bool:
    """Return whether a processor is one that a hypervisor makes, on x86.

    :raises Unreadable: if the kernel's description cannot be read
    """
    return bool(_VIRTUAL.search(root.peek(_CPUINFO)))


def is_xen(root: HostRoot) -> bool:
    """Return whether Xen is between the kernel and the machine.

    Not so in a Xen guest that is a complete virtual machine: its kernel knows
    as much about it as about any other.

    :raises Unreadable: if that cannot be told
    """
    return root.maybe(_XEN) == "xen" and not _is_machine(root)


def _is_machine(root: HostRoot) -> bool:
    """Return whether one of Xen's domains is a whole virtual machine."""
    try:
        # HVM and PVH domains have a machine of their own. The control domain,
        # which may be PVH too, has the uuid of zeros.
        return root.peek(_KIND) in _WHOLE and not _NIL.issuperset(
            root.peek(_UUID)
        )
    except Unreadable:
        return False


def remedy(root: HostRoot, remedies: dict[Platform, str]) -> str:
    """Return the remedy that is true on a host."""
    return remedies.get(of(root), remedies[Platform.OTHER])
