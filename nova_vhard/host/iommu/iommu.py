# SPDX-License-Identifier: Apache-2.0
"""IOMMU facts from the kernel that several checks share.

Sources: Documentation/ABI/testing/sysfs-kernel-iommu_groups and
sysfs-class-iommu in the kernel, and measurements on machines whose IOMMU
registers were read for comparison.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from nova_vhard.host import platform
from nova_vhard.host.check import Answer, unknown
from nova_vhard.host.root import HostRoot, unreadable

GROUPS = "/sys/kernel/iommu_groups"
CLASS = "/sys/class/iommu"
DEVICES = "/sys/bus/pci/devices"

#: Names of IOMMUs under /sys/class/iommu of platforms that were verified.
#: Intel's dmar0, AMD's ivhd0 and Arm's smmu3.0x...: others may have other
#: rules for groups.
VERIFIED = ("dmar", "ivhd", "smmu3.")

#: Type of a group whose devices the host's drivers use untranslated.
IDENTITY = "identity"

#: vfio makes this group itself where there is no IOMMU; and for a mediated
#: device, whose access to memory its parent's driver makes.
NOIOMMU = "vfio-noiommu"
MEDIATED = "/sys/bus/mdev/devices"


@dataclass(frozen=True)
class Group:
    """One IOMMU group.

    :ivar devices: addresses of its devices, but for mediated ones: those are
        behind no IOMMU, and need none
    :ivar noiommu: whether vfio made it without an IOMMU, for a device that
        needs one
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
    mediated = frozenset(root.names(MEDIATED, missing_ok=True))
    return [_group(root, name, mediated) for name in root.names(GROUPS)]


def _group(root: HostRoot, name: str, mediated: frozenset[str]) -> Group:
    """Return a group.

    :param mediated: names of mediated devices
    """
    path = f"{GROUPS}/{name}"
    members = root.names(f"{path}/devices")
    devices = tuple(each for each in members if each not in mediated)
    # Only mediated ones: vfio made the group, and its name says no-IOMMU
    # without meaning it.
    if members and not devices:
        return Group(name, ())
    return Group(name, devices, root.maybe(f"{path}/name") == NOIOMMU)


def units(root: HostRoot) -> list[str]:
    """Return the names of the IOMMUs that the kernel drives.

    :raises Unreadable: if they cannot be listed; a kernel without any may
        have no such folder
    """
    # /sys/kernel shows that this is the kernel's /sys: then a folder that is
    # missing is an answer.
    return root.names(CLASS, missing_ok=root.exists("/sys/kernel"))


def group_of(
    root: HostRoot, groups: Mapping[str, Group], address: str
) -> Group | None:
    """Return a PCI device's own group; None without one behind an IOMMU.

    :param groups: all of them, by name
    :raises Unreadable: if the device and the groups do not agree
    """
    place = f"{DEVICES}/{address}/iommu_group"
    name = root.link(place)
    if name is None:
        return None
    group = groups.get(name)
    # The link and the members are two answers of the kernel. Where they
    # differ, one of them is a copy, or a device is just being unplugged.
    if group is None or address not in group.devices:
        raise unreadable(place, f"the device is not in group {name[:20]!r}")
    return None if group.noiommu else group


def unverified(root: HostRoot, names: Collection[str]) -> Answer | None:
    """Return UNKNOWN for IOMMUs of a platform that was not verified.

    :param names: of IOMMUs
    :returns: None if it was
    """
    strange = [name for name in names if not name.startswith(VERIFIED)]
    maker = platform.of(root)
    # Power and IBM Z, also where no unit is listed.
    if maker in platform.UNMEASURED and not strange:
        strange = [maker]
    if strange:
        root.note(*(f"{CLASS}: {item}" for item in strange if item in names))
        return unknown(
            f"not verified on this platform: {', '.join(strange)}",
            platform.NOT_VERIFIED,
        )
    if any(name.startswith("smmu3.") for name in names):
        # Either of them describes it to the kernel; both were measured.
        for path in (
            "/sys/firmware/acpi/tables/IORT",
            "/sys/firmware/devicetree",
        ):
            if root.exists(path):
                root.note(f"{path}: describes the SMMU")
                return None
        return unknown(
            "an SMMU that neither the device tree nor the IORT table "
            "describes",
            "Give the reporter the host's own /sys/firmware, which "
            "describes the SMMU to the kernel.",
        )
    return None
