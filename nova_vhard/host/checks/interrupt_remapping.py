# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-02: interrupts are remapped, and vfio insists on it."""

from nova_vhard.host import module_parameters, platform
from nova_vhard.host.check import (
    Answer,
    Check,
    Status,
    failed,
    passed,
    unknown,
)
from nova_vhard.host.host import Host
from nova_vhard.host.iommu import device_iommu, interrupts, iommu
from nova_vhard.host.iommu.interrupts import Interrupts
from nova_vhard.host.root import HostRoot

_PARAMETER = "allow_unsafe_interrupts"
# Both interfaces of VFIO have the parameter: its container and iommufd (since
# Linux 6.2).
_MODULES = ("vfio_iommu_type1", "iommufd")

# The kernel looks at the beginning of a word alone.
_NO_SOURCE = "nosid"


class InterruptRemapping(Check):
    """Every interrupt of a device goes through remapping of its own.

    On x86 the controller's name begins with ``IR-``, on Arm with ``ITS-`` and
    there is an IOMMU that is driven.

    =========  ===========================================================
    PASS       all of them do, vfio does not allow others, and each device
               that Nova offers is behind an IOMMU
    FAIL       one does not, vfio allows unsafe interrupts, the kernel was
               told not to ask whose an interrupt is, or a device that Nova
               offers is behind no IOMMU
    UNKNOWN    no interrupt controller that is known, or unreadable
    =========  ===========================================================
    """

    name = "interrupt_remapping"
    id = "Check-Virt-02"
    title = "Interrupts are remapped"
    guide = "Physical hardware (PCI passthrough)"
    meaning = (
        "Every device interrupt goes through the IOMMU, so that a guest "
        "cannot forge an interrupt for the host, and vfio does not allow "
        "devices without interrupt remapping."
    )
    remediation = (
        "Enable interrupt remapping in the firmware, and boot without "
        "intremap=off; the report has the steps for the host's platform. "
        "Unset allow_unsafe_interrupts of vfio_iommu_type1 and iommufd."
    )

    def answer(self, host: Host) -> Answer:
        """Judge /proc/interrupts and vfio's parameters."""
        root = host.root
        lines = interrupts.read(root)
        path = interrupts.PATH
        good = len(lines.remapped) + len(lines.translated)
        bad = (*lines.direct, *lines.strange)
        prefix = "ITS-" if lines.translated else "IR-"
        root.note(
            f"{path}: {good} lines with {prefix}, {len(bad)} without",
            *(f"{path}: {line}" for line in bad[:3]),
        )
        # A list, not any() of a generator: each place is in the evidence at
        # once.
        unsafe = [
            module_parameters.is_on(root, module, _PARAMETER)
            for module in _MODULES
        ]
        if any(unsafe):
            return failed(
                "vfio allows devices without interrupt remapping",
                f"Remove {_PARAMETER} of vfio_iommu_type1 and iommufd from "
                "the places in the evidence, and reload the modules.",
            )
        # Without remapping a guest's device can write any interrupt message,
        # by DMA to 0xfee00000 on x86, and so reach the host's handlers.
        answer = _judge(host, lines)
        if answer.status is not Status.PASS:
            return answer
        # Remapping is a part of the IOMMU: a device behind none bypasses it.
        unprotected = device_iommu.unprotected(host)
        if unprotected:
            return unprotected
        # Out of sight, vfio may be loaded, or be told to, all the same.
        root.names(module_parameters.MODULES)
        module_parameters.words(root)
        return answer


def _judge(host: Host, lines: Interrupts) -> Answer:
    root = host.root
    measured = not lines.direct or (
        platform.of(root) not in platform.UNMEASURED
    )
    # One line is enough: a guest may get the device that it belongs to.
    if lines.direct and measured:
        return failed(
            "device interrupts are not remapped",
            platform.remedy(root, platform.INTERRUPTS_DIRECT),
        )
    if lines.remapped and _unverified(root):
        return failed(
            "interrupt remapping does not verify the source device",
            "Boot without nosid in intremap: it disables the check of "
            "which device an interrupt comes from.",
        )
    known = measured and not lines.strange
    if not known or not (lines.remapped or lines.translated):
        return unknown(
            "not verified on this platform: interrupt controllers",
            platform.NOT_VERIFIED,
        )
    # The lines of timers and of the IOMMU itself say nothing about devices.
    if not lines.of_devices:
        return unknown(
            "no interrupt of a PCI device is in use",
            "Bind a driver to a PCI device, so that its interrupts appear "
            "in /proc/interrupts, and check again. A machine without PCI "
            "devices has nothing to pass through.",
        )
    # The tables of an ITS are in memory: a device that is behind no IOMMU can
    # write them.
    if lines.translated:
        units = iommu.units(root)
        root.note(f"{iommu.CLASS}: {' '.join(units) or '(empty)'}")
        strange = iommu.unverified(root, units)
        if strange:
            return strange
        if not units:
            return unknown(
                "interrupts go through an ITS, but no IOMMU is in use",
                platform.remedy(root, platform.IOMMU_OFF),
            )
    return passed("device interrupts are remapped")


def _unverified(root: HostRoot) -> bool:
    """Return whether the kernel lets any device send another one's interrupt.

    Intel's remapping alone has a table for all devices; AMD's has one each.

    :raises Unreadable: if the kernel's command line cannot be read
    """
    listed = [
        item
        for value in module_parameters.values(root, "intremap")
        for item in value.split(",")
        if item.startswith(_NO_SOURCE)
    ]
    if not listed or platform.of(root) is platform.Platform.AMD:
        return False
    root.note(f"{module_parameters.CMDLINE}: intremap={listed[0]}", first=True)
    return True
