# SPDX-License-Identifier: Apache-2.0
"""Remapping of device interrupts, by the names of their controllers.

``/proc/interrupts`` names the controller of each interrupt. On x86 it starts
with ``IR-`` if it is behind an IOMMU's interrupt remapping; on Arm, with
``ITS-`` if it is behind an ITS, which identifies the device.

Sources: arch/x86/kernel/apic/vector.c, drivers/iommu/*/irq_remapping.c,
drivers/irqchip/irq-gic-v3-its*.c and irq-gic-v2m.c, and
drivers/pci/msi/irqdomain.c in the kernel.
"""

import re
from dataclasses import dataclass
from itertools import takewhile

from nova_vhard.common import pci as address_of
from nova_vhard.host.pci import pci
from nova_vhard.host.root import HostRoot

PATH = "/proc/interrupts"

#: Class of an IOMMU's own function.
_IOMMU = "0x0806"

_CHIP = re.compile(
    r"(?P<parent>\S*?)(?P<kind>IO-APIC|PCI-MSIX?|MSI|pMSI)"
    r"(?:-(?P<address>\S+))?"
)
# Their parents: nothing at all on x86, and a frame that any device may write
# any interrupt to on Arm.
_DIRECT = ("", "GICv2m-", "MBI-")
# A bridge of Intel's with a bus of its own behind it: it takes the interrupts
# from there, and hands them on by its own, which has a line too.
_BEHIND = "VMD-"
# No kernel counts further.
_MAX_DIGITS = 20
_X86, _ARM = "IR-", "ITS-"


@dataclass(frozen=True)
class Interrupts:
    """The lines of devices.

    :ivar remapped: whose controller is behind an IOMMU's remapping
    :ivar translated: whose controller is an ITS
    :ivar direct: whose controller is neither
    :ivar strange: whose controller nobody has looked at
    """

    remapped: tuple[str, ...] = ()
    translated: tuple[str, ...] = ()
    direct: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()

    @property
    def of_devices(self) -> bool:
        """Whether one that passes is of a device that a guest may get.

        Not so the SMMU's own queues, which go through an ITS too.
        """
        return bool(self.remapped) or any(
            f"{_ARM}pMSI" not in line for line in self.translated
        )


def read(root: HostRoot) -> Interrupts:
    """Return the interrupts of devices.

    :raises Unreadable: if they cannot be read, or it cannot be told whether
        one is the IOMMU's own
    """
    kinds: dict[str, list[str]] = {}
    for line in root.lines(PATH):
        kind = _kind(root, line)
        if kind:
            kinds.setdefault(kind, []).append(" ".join(line.split()))
    return Interrupts(**{kind: tuple(each) for kind, each in kinds.items()})


def _kind(root: HostRoot, line: str) -> str:
    """Return what the interrupt of a line is; empty for no device's."""
    number, _, rest = line.partition(":")
    # The other lines are the processors' own (NMI, LOC, ERR) and the titles.
    if not number.strip().isdecimal():
        return ""
    words = rest.split()
    # A count for each processor that is online.
    while words and words[0].isdecimal():
        del words[0]
    match = _CHIP.fullmatch(words[0]) if words else None
    if not match:
        # A controller of several words may be one of messages ("Hyper-V PCIe
        # MSI 540528640-edge"). Behind its name is a number.
        name = takewhile(lambda word: not word[0].isdecimal(), words)
        return "strange" if "MSI" in name else ""
    parent, kind = match["parent"], match["kind"]
    # msi_create_device_irq_domain() (Linux 6.2 and newer) puts the prefix of
    # the parent in front and the device behind: IR-PCI-MSIX-0000:3d:00.0.
    # Older kernels have one controller for all: IR-PCI-MSI.
    if parent == _X86:
        return "remapped"
    if parent == _ARM:
        return "translated"
    if parent == _BEHIND:
        return ""
    # MSI without a bus is that of another part of the machine (DMAR-MSI,
    # HPET-MSI, IOMMU-MSI); by itself, GICv2m's before Linux 6.11.
    if kind in ("MSI", "pMSI"):
        return "direct" if (parent, kind) == ("", "MSI") else ""
    # A new kernel may have new parents: UNKNOWN, and never "remapped".
    if parent not in _DIRECT:
        return "strange"
    # The IO-APIC is not a PCI function, and no IOMMU signals through it.
    own = kind != "IO-APIC" and _is_iommu(root, match["address"], words[1:])
    return "" if own else "direct"


def _is_iommu(root: HostRoot, address: str | None, words: list[str]) -> bool:
    """Return whether an interrupt is the IOMMU's own.

    It is never remapped. Its class says so, and not the name behind it, which
    a driver chooses.
    """
    if address is None:
        address = _of_number(words[0] if words else "")
    if address is None or not address_of.fields(address):
        return False
    # Not every number of an older kernel has an address in it: one that leads
    # to no device is not the IOMMU's, and the line counts.
    if not root.exists(pci.path(address)):
        return False
    return pci.device_class(root, address).startswith(_IOMMU)


def _of_number(word: str) -> str | None:
    """Return the address in the number of an interrupt on older kernels.

    ``4096-edge``: domain, bus, device and function above 11 bits for the
    vector's index (``pci_msi_domain_calc_hwirq``).
    """
    digits = word.partition("-")[0]
    if not digits.isdecimal() or len(digits) > _MAX_DIGITS:
        return None
    number = int(digits) >> 11
    domain, bus = number >> 16, number >> 8 & 0xFF
    slot, function = number >> 3 & 0x1F, number & 7
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function}"
