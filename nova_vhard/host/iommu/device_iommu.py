# SPDX-License-Identifier: Apache-2.0
"""Check that each device that Nova offers is behind an IOMMU.

What matters for a device that a guest gets is its own group, its link to it
and its own IOMMU, not that some IOMMU exists in the machine.
"""

from collections.abc import Sequence

from nova_vhard.host import platform
from nova_vhard.host.check import Answer, failed, unknown
from nova_vhard.host.host import Host
from nova_vhard.host.iommu import iommu
from nova_vhard.host.pci import passthrough_devices, pci
from nova_vhard.host.root import HostRoot, Unreadable


def unprotected(host: Host) -> Answer | None:
    """Return the answer for each offered device; None if all pass.

    Without the facts of nova.conf, the offered devices are unknown. The
    evidence then says this, and the answer is that of the whole machine:
    ``passthrough_disabled`` is UNKNOWN on such a host, and can be required.

    :raises Unreadable: if the devices or the groups cannot be read
    """
    root = host.root
    try:
        # Also entries that nova-compute has not read: it offers them after its
        # next start, and this check then has looked already.
        entries = passthrough_devices.specs(host, written=True)
    except Unreadable as error:
        root.note(f"offered devices were not checked individually: {error}")
        return None
    offered = passthrough_devices.find(root, entries)
    if not offered:
        root.note("Nova offers no device")
        return None
    # Read once: a host may have hundreds of groups.
    groups = {item.name: item for item in iommu.groups(root)}
    without: dict[str, str] = {}
    unlinked, good = [], []
    for item in offered:
        group = iommu.group_of(root, groups, item.device.address)
        # The IOMMU that drives a device makes this link (iommu_device_link()
        # in the kernel).
        unit = root.link(f"{item.device.path}/iommu")
        if group is None:
            without[item.device.address] = (
                f"offered: {item}: in no IOMMU group"
            )
        elif unit is None:
            unlinked.append(f"offered: {item}: {group.path}, no IOMMU")
        else:
            good.append(f"offered: {item}: {group.path}, {unit}")
    root.note(*without.values(), *unlinked, first=True)
    root.note(*good)
    # A FAIL is certain, so that it comes before UNKNOWN.
    if without:
        return alone(root, list(without))
    if unlinked:
        return unknown(
            "offered devices have no link to an IOMMU",
            "Give the reporter the host's own /sys: there, a device in a "
            "group has a link to its IOMMU.",
        )
    return None


def alone(root: HostRoot, addresses: Sequence[str]) -> Answer:
    """Judge offered devices that are in no IOMMU group.

    On Arm with a device tree a device is in none until a driver is bound to
    it; vfio-pci is one.

    :param addresses: of these devices, at least one
    """
    text = "offered devices are in no IOMMU group"
    if platform.of(root) is platform.Platform.ARM and iommu.units(root):
        free = [name for name in addresses if pci.driver(root, name) is None]
        if len(free) == len(addresses):
            return unknown(
                f"{text} yet",
                f"Bind a driver to {', '.join(free[:3])}, such as vfio-pci.",
            )
    return failed(text, platform.remedy(root, platform.IOMMU_OFF))
