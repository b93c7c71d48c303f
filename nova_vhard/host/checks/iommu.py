# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-01: DMA remapping is really on."""

from nova_vhard.host import module_parameters, platform
from nova_vhard.host.check import (
    Answer,
    Check,
    failed,
    passed,
    unknown,
)
from nova_vhard.host.host import Host
from nova_vhard.host.iommu import device_iommu, iommu

_MODULE, _PARAMETER = "vfio", "enable_unsafe_noiommu_mode"

_NO_UNIT = (
    "Give the reporter the host's own /sys: /sys/class/iommu or "
    "/sys/kernel/iommu_groups is not the kernel's."
)


class Iommu(Check):
    """Groups with PCI devices in them, behind an IOMMU that is driven.

    =========  ===========================================================
    PASS       devices are in groups, each that Nova offers among them, and
               an IOMMU of Intel, AMD or Arm (SMMUv3) is driven
    FAIL       no group has a device, one that Nova offers is in none, or
               vfio may do without an IOMMU
    UNKNOWN    unreadable, contradictory, or a platform not verified
    =========  ===========================================================
    """

    name = "iommu"
    id = "Check-Virt-01"
    title = "DMA remapping is on"
    guide = "Physical hardware (PCI passthrough)"
    meaning = (
        "The kernel has put PCI devices into IOMMU groups behind a working "
        "IOMMU (Intel, AMD, or Arm's SMMUv3), and vfio is not allowed to "
        "work without an IOMMU. The kernel command line, the ACPI tables "
        "and the log are not evidence: each can name an IOMMU while "
        "translation is off."
    )
    remediation = (
        "Enable the IOMMU (VT-d, AMD-Vi, SMMU) in the firmware and in the "
        "kernel; the report has the steps for the host's platform. Unset "
        "vfio's enable_unsafe_noiommu_mode."
    )

    def answer(self, host: Host) -> Answer:
        """Judge the effective state."""
        root = host.root
        unsafe = module_parameters.is_on(root, _MODULE, _PARAMETER)
        units = iommu.units(root)
        root.note(f"{iommu.CLASS}: {' '.join(units) or '(empty)'}")
        groups = iommu.groups(root)
        # A group without devices, and one that vfio made without an IOMMU,
        # translate nothing.
        real = [
            group for group in groups if group.devices and not group.noiommu
        ]
        count = sum(len(item.devices) for item in real)
        root.note(f"{iommu.GROUPS}: {len(real)} groups with {count} devices")
        fakes = [group for group in groups if group.noiommu]
        root.note(
            *(
                f"{fake.path}/name: {iommu.NOIOMMU}: {' '.join(fake.devices)}"
                for fake in fakes
            )
        )
        # Before the groups: with this parameter vfio hands out any device.
        if unsafe or fakes:
            return failed(
                "vfio may pass devices to guests without an IOMMU",
                f"Remove {_PARAMETER} of vfio from the places in the "
                "evidence, and reload vfio.",
            )
        unverified = iommu.unverified(root, units)
        # A machine whose IOMMU is on can have devices that it does not reach.
        fault = unverified or device_iommu.unprotected(host)
        if fault:
            return fault
        if not real:
            return failed(
                "no device is in an IOMMU group",
                platform.remedy(root, platform.IOMMU_OFF),
            )
        # Only both together were true on each machine that was measured. On
        # Power there are groups without an entry in this folder.
        if not units:
            return unknown(
                "devices are in IOMMU groups, but no IOMMU is in use", _NO_UNIT
            )
        # The PCI devices themselves must agree with the groups.
        addresses = root.names(iommu.DEVICES)
        grouped = {device for group in real for device in group.devices}
        without = [address for address in addresses if address not in grouped]
        lost = [
            address
            for address in addresses
            if address in grouped
            and root.link(f"{iommu.DEVICES}/{address}/iommu_group") is None
        ]
        # Not a FAIL: AMD's IOMMU function and some bridges are in no group.
        if without:
            root.note(f"devices in no group: {' '.join(without)}")
        if lost or not grouped & set(addresses):
            return unknown(
                "IOMMU groups and PCI devices are inconsistent", _NO_UNIT
            )
        # The host's drivers bypass translation there. Older kernels do not
        # say so.
        identity = [
            group
            for group in real
            if root.maybe(f"{group.path}/type") == iommu.IDENTITY
        ]
        if identity:
            return passed(
                "an IOMMU translates the devices of guests; the host's own "
                f"devices in {len(identity)} groups bypass it",
            )
        return passed("devices are translated by an IOMMU")
