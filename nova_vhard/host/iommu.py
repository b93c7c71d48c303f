# SPDX-License-Identifier: Apache-2.0
"""What the kernel shows of IOMMUs: the facts that several checks share.

Sources: Documentation/ABI/testing/sysfs-kernel-iommu_groups and
sysfs-class-iommu in the kernel, and what was measured on machines whose
IOMMU registers were read beside it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from nova_vhard.host.root import HostRoot, Unreadable

GROUPS = "/sys/kernel/iommu_groups"
CLASS = "/sys/class/iommu"
DEVICES = "/sys/bus/pci/devices"

#: Names of IOMMUs under /sys/class/iommu of platforms that were verified.
VERIFIED = ("dmar", "ivhd")

#: vfio makes this group itself where there is no IOMMU.
NOIOMMU = "vfio-noiommu"


@dataclass(frozen=True)
class Group:
    """One IOMMU group.

    :ivar devices: addresses of its devices
    :ivar noiommu: whether vfio made it without an IOMMU
    """

    name: str
    devices: tuple[str, ...]
    noiommu: bool = False

    @property
    def path(self) -> str:
        """Its folder on the host."""
        return f"{GROUPS}/{self.name}"


def groups(root: HostRoot) -> list[Group]:
    """Return every IOMMU group that the kernel made.

    :raises Unreadable: if the kernel shows no such folder, or hides it
    """
    found = []
    for name in root.names(GROUPS):
        path = f"{GROUPS}/{name}"
        devices = tuple(root.names(f"{path}/devices"))
        found.append(Group(name, devices, _is_noiommu(root, path)))
    return found


def _is_noiommu(root: HostRoot, path: str) -> bool:
    try:
        return root.read(f"{path}/name") == NOIOMMU
    except Unreadable as error:
        if error.missing:
            return False
        raise


def units(root: HostRoot) -> list[str]:
    """Return the names of the IOMMUs that the kernel drives.

    :raises Unreadable: if they cannot be listed; a kernel without any may
        have no such folder
    """
    try:
        return root.names(CLASS)
    except Unreadable as error:
        if error.missing and root.exists("/sys/kernel"):
            return []
        raise


def unverified(root: HostRoot, names: Iterable[str]) -> str | None:
    """Say why these IOMMUs' platform was not verified; None if it was."""
    if _xen(root):
        return "not verified on this platform: Xen"
    strange = [one for one in names if not one.startswith(VERIFIED)]
    if strange:
        return f"not verified on this platform: {', '.join(strange)}"
    return None


def _xen(root: HostRoot) -> bool:
    try:
        return root.read("/sys/hypervisor/type") == "xen"
    except Unreadable as error:
        if error.missing:
            return False
        raise
