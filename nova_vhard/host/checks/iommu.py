# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-01: DMA remapping is really on."""

from nova_vhard.host import iommu, translated
from nova_vhard.host.check import Answer, Check, Status
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot, Unreadable

_NOIOMMU_PARAMETER = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
_TRUE = frozenset(("Y", "1"))


class Iommu(Check):
    """Groups with PCI devices in them, behind an IOMMU that is driven.

    =========  ===========================================================
    PASS       devices are in groups, each that Nova offers among them, and
               an Intel or AMD IOMMU is driven
    FAIL       no group has a device, one that Nova offers is in none, or
               vfio may do without an IOMMU
    UNKNOWN    unreadable, contradictory, or a platform not verified
    =========  ===========================================================
    """

    name = "iommu"

    def answer(self, host: Host, evidence: list[str]) -> Answer:
        """Judge the effective state."""
        root = host.root
        unsafe = _noiommu(root, evidence)
        units = iommu.units(root)
        evidence.append(f"{iommu.CLASS}: {' '.join(units) or '(empty)'}")
        groups = iommu.groups(root)
        real = [one for one in groups if one.devices and not one.noiommu]
        count = sum(len(one.devices) for one in real)
        evidence.append(
            f"{iommu.GROUPS}: {len(real)} groups with {count} devices"
        )
        fakes = [one for one in groups if one.noiommu]
        evidence += [
            f"{one.path}/name: {iommu.NOIOMMU}: {' '.join(one.devices)}"
            for one in fakes
        ]
        if unsafe or fakes:
            return Status.FAIL, "vfio may hand out devices without an IOMMU"
        strange = iommu.unverified(root, units, evidence)
        if strange:
            return Status.UNKNOWN, strange
        amiss = translated.amiss(host, evidence)
        if amiss:
            return amiss
        if not real:
            return Status.FAIL, "no device is in an IOMMU group"
        if not units:
            text = "devices are in groups, but no IOMMU is driven"
            return Status.UNKNOWN, text
        return _linked(root, real, evidence)


def _noiommu(root: HostRoot, evidence: list[str]) -> bool:
    """Tell whether vfio may do without an IOMMU."""
    try:
        value = root.read(_NOIOMMU_PARAMETER)
    except Unreadable as error:
        if not error.missing:
            raise
        return False
    evidence.append(f"{_NOIOMMU_PARAMETER}: {value}")
    return value in _TRUE


def _linked(
    root: HostRoot, groups: list[iommu.Group], evidence: list[str]
) -> Answer:
    """Ask the PCI devices themselves, which must agree with the groups."""
    addresses = root.names(iommu.DEVICES)
    grouped = {one for group in groups for one in group.devices}
    without = [one for one in addresses if one not in grouped]
    lost = [
        one
        for one in addresses
        if one in grouped
        and root.link(f"{iommu.DEVICES}/{one}/iommu_group") is None
    ]
    if without:
        evidence.append(f"devices in no group: {' '.join(without)}")
    if lost or not grouped & set(addresses):
        text = "groups and PCI devices do not agree"
        return Status.UNKNOWN, text
    return Status.PASS, "devices are translated by an IOMMU"
