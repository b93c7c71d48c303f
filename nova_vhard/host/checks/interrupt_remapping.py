# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-02: interrupts are remapped, and vfio insists on it."""

import re

from nova_vhard.host import iommu, translated
from nova_vhard.host.check import Answer, Check, Status
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot, Unreadable

_INTERRUPTS = "/proc/interrupts"
_UNSAFE = (
    "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts",
    "/sys/module/iommufd/parameters/allow_unsafe_interrupts",
)
_MODULES = "/sys/module"
_CMDLINE = "/proc/cmdline"
_UNSAFE_BOOT = re.compile(
    r"\b(?:vfio_iommu_type1|iommufd)\.allow_unsafe_interrupts=[1yYtTo]\S*"
)
_TRUE = frozenset(("Y", "1"))

# Interrupt controllers of x86 that a device raises interrupts through; the
# IOMMU's own (DMAR-MSI) and the timer's (HPET-MSI) are not remapped.
_DEVICE = re.compile(r"(?:IO-APIC|PCI-MSIX?(?:-\S+)?)$")
_REMAPPED = "IR-"


class InterruptRemapping(Check):
    """Every device's interrupt controller has the prefix ``IR-``.

    =========  ===========================================================
    PASS       all of them do, vfio does not allow others, and each device
               that Nova offers is behind an IOMMU
    FAIL       one does not, vfio allows unsafe interrupts, or a device
               that Nova offers is behind no IOMMU
    UNKNOWN    no interrupt controller that is known, or unreadable
    =========  ===========================================================
    """

    name = "interrupt_remapping"

    def answer(self, host: Host, evidence: list[str]) -> Answer:
        """Judge /proc/interrupts and vfio's parameters."""
        root = host.root
        remapped, direct = _controllers(root.read(_INTERRUPTS))
        evidence.append(
            f"{_INTERRUPTS}: {len(remapped)} lines with {_REMAPPED}, "
            f"{len(direct)} without"
        )
        evidence += [f"{_INTERRUPTS}: {one}" for one in direct[:3]]
        unsafe = _unsafe(root, evidence)
        if unsafe:
            return Status.FAIL, "vfio allows interrupts that are not remapped"
        strange = iommu.unverified(root, [], evidence)
        if strange:
            return Status.UNKNOWN, strange
        if not remapped and not direct:
            text = "not verified on this platform: no x86 interrupts"
            return Status.UNKNOWN, text
        if direct:
            return Status.FAIL, "interrupts of devices are not remapped"
        amiss = translated.amiss(host, evidence)
        if amiss:
            return amiss
        # Where the modules are out of sight, vfio may be loaded all the same.
        root.names(_MODULES)
        return Status.PASS, "interrupts of devices are remapped"


def _controllers(text: str) -> tuple[list[str], list[str]]:
    """Return the lines of devices, remapped and not."""
    remapped: list[str] = []
    direct: list[str] = []
    for line in text.splitlines():
        for word in line.split()[1:]:
            plain = word.removeprefix(_REMAPPED)
            if _DEVICE.match(plain):
                found = remapped if plain != word else direct
                found.append(line.strip())
                break
    return remapped, direct


def _unsafe(root: HostRoot, evidence: list[str]) -> bool:
    """Tell whether vfio allows unsafe interrupts, now or once loaded."""
    allowed = False
    for path in _UNSAFE:
        try:
            value = root.read(path)
        except Unreadable as error:
            if not error.missing:
                raise
            continue
        evidence.append(f"{path}: {value}")
        allowed |= value in _TRUE
    match = _UNSAFE_BOOT.search(root.read(_CMDLINE))
    if match:
        evidence.append(f"{_CMDLINE}: {match[0]}")
    return allowed or match is not None
