# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-03: host devices are in translated domains."""

from collections import Counter

from nova_vhard.host import platform
from nova_vhard.host.check import (
    Answer,
    Check,
    failed,
    passed,
    unknown,
)
from nova_vhard.host.host import Host
from nova_vhard.host.iommu import device_iommu, iommu
from nova_vhard.host.pci import pci
from nova_vhard.host.platform import Platform
from nova_vhard.host.root import HostRoot
from nova_vhard.host.sanitized import few

_PASSTHROUGH = (
    "Boot without iommu=pt and iommu.passthrough=1. If the kernel was "
    "built with CONFIG_IOMMU_DEFAULT_PASSTHROUGH, add iommu.passthrough=0."
)
_PARTLY = (
    "Boot without iommu=pt, iommu.passthrough=1 and igfx_off if "
    "/proc/cmdline has one of them. Otherwise, only these groups are "
    "affected: unbind the drivers of their devices, and write DMA into the "
    "files in the evidence. If the kernel refuses that, the device "
    "requires it (for example an AMD GPU with PASID): disable it in the "
    "firmware, or do not require this check."
)
_FIRMWARE = (
    "If the firmware puts a device behind no IOMMU, unbind its driver, or "
    "disable the device in the firmware."
)
_OUTSIDE = {
    Platform.INTEL: f"Boot without igfx_off in intel_iommu. {_FIRMWARE}",
    Platform.OTHER: _FIRMWARE,
}
# Classes of bridges of any kind, and of an IOMMU's own function.
# pci.ids: 06 is a bridge, 0806 an IOMMU.
_NEEDS_NONE = "0x06", "0x0806"
_LAZY = "DMA-FQ"
# By iommu_group_show_type() in drivers/iommu/iommu.c, this is the type of the
# default domain, which the host's drivers use. A device of a guest has a
# domain of its own.
_TRANSLATED = frozenset(("DMA", _LAZY, "blocked", "unmanaged"))


class IommuStrict(Check):
    """No IOMMU group has a default domain of type identity.

    =========  ===========================================================
    PASS       every group is translated, at once or batched (DMA-FQ), and
               each device with a driver is in one
    FAIL       a group is an identity map, or there is no group, or none
               for a device that Nova offers or that a driver uses
    UNKNOWN    a type that is not known, unreadable, or not verified
    =========  ===========================================================
    """

    name = "iommu_strict"
    id = "Check-Virt-03"
    title = "The host's own devices are translated, too"
    guide = "Physical hardware (PCI passthrough)"
    meaning = (
        "No device of the host itself bypasses address translation (by an "
        "identity domain or no domain), so that a faulty device can reach "
        "only its own buffers. Lazy invalidation (DMA-FQ), which the "
        "kernel does not call strict, passes; the result says so."
    )
    remediation = (
        "Boot without iommu=pt and iommu.passthrough=1. If there is no "
        "IOMMU group, see Check-Virt-01."
    )

    def answer(self, host: Host) -> Answer:
        """Judge the type of every group."""
        root = host.root
        groups = [
            group
            for group in iommu.groups(root)
            if group.devices and not group.noiommu
        ]
        unverified = iommu.unverified(root, iommu.units(root))
        fault = unverified or device_iommu.unprotected(host)
        if fault:
            return fault
        if not groups:
            root.note(f"{iommu.GROUPS}: no groups with devices")
            return failed(
                "no device is in an IOMMU group",
                platform.remedy(root, platform.IOMMU_OFF),
            )
        # A kernel without this file is UNKNOWN: an identity map would look the
        # same.
        types = {
            group.path: root.peek(f"{group.path}/type") for group in groups
        }
        for kind, count in sorted(Counter(types.values()).items()):
            text = f"{kind or '(empty)'} in {count} groups"
            root.note(f"{iommu.GROUPS}/*/type: {text}")
        return (
            _identity(root, types)
            or _behind_none(root, groups)
            or _of_types(set(types.values()))
        )


def _identity(root: HostRoot, types: dict[str, str]) -> Answer | None:
    """Return the answer where a group is an identity map."""
    named = [path for path, kind in types.items() if kind == iommu.IDENTITY]
    if not named:
        return None
    root.note(*(f"{path}/type: {iommu.IDENTITY}" for path in named[:3]))
    # If all groups are, it is the kernel's default. If some are, the IOMMU
    # driver wants it (def_domain_type() in its iommu_ops).
    step = _PASSTHROUGH if len(named) == len(types) else _PARTLY
    return failed("host devices bypass translation", step)


def _behind_none(root: HostRoot, groups: list[iommu.Group]) -> Answer | None:
    """Return the answer where a device is in no group."""
    # Not bridges, nor an IOMMU's own function: neither needs a group. A device
    # without a driver does nothing by itself.
    grouped = {device for group in groups for device in group.devices}
    outside = []
    for address in root.names(iommu.DEVICES):
        if address in grouped:
            continue
        driver = pci.driver(root, address)
        kind = pci.device_class(root, address)
        # The firmware may have named no IOMMU for it: such a device reaches
        # all memory.
        if driver and not kind.startswith(_NEEDS_NONE):
            outside.append(f"{address} ({driver})")
    if not outside:
        return None
    root.note(*(f"in no IOMMU group: {line}" for line in outside), first=True)
    return failed(
        f"host devices are behind no IOMMU: {few(outside)}",
        platform.remedy(root, _OUTSIDE),
    )


def _of_types(types: set[str]) -> Answer:
    """Return the answer for the types of groups other than identity."""
    strange = sorted(types - _TRANSLATED)
    if strange:
        return unknown(
            f"unknown types of IOMMU domains: {' '.join(strange)}",
            platform.NOT_VERIFIED,
        )
    text = "host devices are translated, with strict invalidation"
    if _LAZY in types:
        text = (
            "host devices are translated, with lazy invalidation (DMA-FQ), "
            "which the kernel does not call strict"
        )
    return passed(text)
