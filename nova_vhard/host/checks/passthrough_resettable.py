# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-06: an offered device can be reset by itself."""

from collections import Counter

from nova_vhard.host.check import (
    Answer,
    Check,
    failed,
    not_applicable,
    passed,
)
from nova_vhard.host.host import Host
from nova_vhard.host.iommu import iommu
from nova_vhard.host.pci import passthrough_devices
from nova_vhard.host.pci.pci import SHARED_RESETS, PciDevice
from nova_vhard.host.root import HostRoot


class PassthroughResettable(Check):
    """The kernel can reset each offered device between guests.

    ==============  ======================================================
    PASS            the kernel has a reset for each offered device alone
    FAIL            it has none for one of them, or only a bus reset, which
                    affects other devices too
    UNKNOWN         Nova's settings or the devices cannot be read
    NOT_APPLICABLE  Nova offers no device that is present
    ==============  ======================================================
    """

    name = "passthrough_resettable"
    id = "Check-Virt-06"
    title = "Each offered device can be reset on its own"
    guide = "Physical hardware (PCI passthrough)"
    meaning = (
        "The kernel can reset each device that a guest can get without "
        "affecting another device. Data that the device stores permanently "
        "(firmware, disks) survives a reset."
    )
    remediation = (
        "Remove the device from [pci] device_spec, or update its firmware. "
        "If reset_method of the device is empty, write default into it."
    )

    def answer(self, host: Host) -> Answer:
        """Judge the reset methods of each device that Nova offers."""
        root = host.root
        offered = passthrough_devices.of_host(host)
        if not offered:
            return not_applicable("Nova offers no device")
        # A bus reset resets every function on the bus. It is harmless where
        # the device is alone on it.
        buses = Counter(
            name.rpartition(":")[0] for name in root.names(iommu.DEVICES)
        )
        without = False
        for item in offered:
            methods = _methods(root, item.device)
            alone = buses[item.device.bus] == 1
            bad = set(methods) <= SHARED_RESETS and not (methods and alone)
            root.note(
                f"{item}: reset by {' '.join(methods) or 'none'}", first=bad
            )
            without |= bad
        if without:
            return failed("offered devices cannot be reset on their own")
        return passed("each offered device can be reset on its own")


def _methods(root: HostRoot, device: PciDevice) -> list[str]:
    """Return the ways in which the kernel can reset a device.

    Kernels before 5.15 do not name them; where such a kernel has a file
    ``reset``, it found a way that touches no other device.

    :raises Unreadable: if that cannot be told
    """
    # The names are those of pci_reset_fn_methods[] in drivers/pci/pci.c.
    methods = root.maybe(f"{device.path}/reset_method")
    # An empty file is an answer: root can switch all methods off.
    if methods is not None:
        return methods.split()
    return ["reset"] if root.exists(f"{device.path}/reset") else []
