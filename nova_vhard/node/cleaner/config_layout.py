# SPDX-License-Identifier: Apache-2.0
"""Registers of the PCI configuration space, and which bits come and go.

Data only. Offsets, names and fields are those of the PCI Local Bus and PCI
Express Base specifications, as linux/pci_regs.h has them too. Volatile is
what host software sets (controls, addresses) and what the hardware reports
of the moment (status, logs); what a device says of itself is not. What is
not listed here is compared whole, whoever defines it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Register:
    """A register.

    :ivar offset: bytes from the beginning of the header or capability
    :ivar size: bytes
    :ivar volatile: bits that are not compared
    """

    offset: int
    size: int
    name: str
    volatile: int = 0


@dataclass(frozen=True)
class Capability:
    """A capability: its name, and its registers after id and next."""

    name: str
    registers: tuple[Register, ...] = ()


ALL8, ALL16, ALL32 = 0xFF, 0xFFFF, 0xFFFFFFFF

BAR_COUNT = 6
BAR_OFFSET = 0x10

#: Of header type 0. What the base address registers have is in config.py:
#: it depends on their lowest bits.
HEADER = (
    Register(0x00, 2, "Vendor ID"),
    Register(0x02, 2, "Device ID"),
    # What it holds after a reset is judged by the step function_reset.
    Register(0x04, 2, "Command", ALL16),
    # Interrupt status and the error bits.
    Register(0x06, 2, "Status", 0xF908),
    Register(0x08, 1, "Revision ID"),
    Register(0x09, 3, "Class code"),
    Register(0x0C, 1, "Cache line size", ALL8),
    Register(0x0D, 1, "Latency timer", ALL8),
    Register(0x0E, 1, "Header type"),
    # Start and completion code, not whether there is one.
    Register(0x0F, 1, "BIST", 0x4F),
    Register(0x28, 4, "CardBus CIS pointer"),
    Register(0x2C, 2, "Subsystem vendor ID"),
    Register(0x2E, 2, "Subsystem ID"),
    # Enable and address; bits 1 to 10 say whether it is valid.
    Register(0x30, 4, "Expansion ROM base address", 0xFFFFF801),
    Register(0x34, 1, "Capabilities pointer"),
    Register(0x3C, 1, "Interrupt line", ALL8),
    Register(0x3D, 1, "Interrupt pin"),
    Register(0x3E, 1, "Min_Gnt"),
    Register(0x3F, 1, "Max_Lat"),
)

PM, VPD, MSI, PCIE, MSIX, AF = 0x01, 0x03, 0x05, 0x10, 0x11, 0x13

#: By id. MSI and PCI Express have more, by what they say of themselves.
CAPABILITIES = {
    PM: Capability(
        "Power management",
        (
            Register(2, 2, "capabilities"),
            # Power state, PME, data select and its scale; not No_Soft_Reset.
            Register(4, 2, "control and status", 0xFF03),
            Register(7, 1, "data", ALL8),
        ),
    ),
    # A window on other memory.
    VPD: Capability(
        "Vital product data",
        (
            Register(2, 2, "address", ALL16),
            Register(4, 4, "data", ALL32),
        ),
    ),
    # Enable and the number of messages that software chose.
    MSI: Capability("MSI", (Register(2, 2, "message control", 0x0071),)),
    0x09: Capability("Vendor-specific"),
    PCIE: Capability(
        "PCI Express",
        (
            Register(2, 2, "capabilities"),
            # The slot's power limit, as the slot told it.
            Register(4, 4, "device capabilities", 0x0FFC0000),
            Register(8, 2, "device control", ALL16),
            Register(0xA, 2, "device status", 0x003F),
            # Exit latencies, which depend on the clock that is used.
            Register(0xC, 4, "link capabilities", 0x0003F000),
            Register(0x10, 2, "link control", ALL16),
            Register(0x12, 2, "link status", ALL16),
        ),
    ),
    MSIX: Capability(
        "MSI-X",
        (
            # Enable and function mask, not the size of the table.
            Register(2, 2, "message control", 0xC000),
            Register(4, 4, "table"),
            Register(8, 4, "pending bits"),
        ),
    ),
    0x12: Capability("SATA"),
    AF: Capability(
        "Advanced features",
        (
            Register(3, 1, "capabilities"),
            Register(4, 1, "control", 0x01),
            Register(5, 1, "status", 0x01),
        ),
    ),
    0x14: Capability("Enhanced allocation"),
}

#: What version 2 of the PCI Express capability has besides.
PCIE_2 = (
    Register(0x24, 4, "device capabilities 2"),
    Register(0x28, 2, "device control 2", ALL16),
    Register(0x2A, 2, "device status 2", ALL16),
    Register(0x2C, 4, "link capabilities 2"),
    Register(0x30, 2, "link control 2", ALL16),
    Register(0x32, 2, "link status 2", ALL16),
)

VC, VC_MFVC, SRIOV = 0x02, 0x09, 0x10

_VIRTUAL_CHANNEL = (
    Register(4, 4, "port capabilities 1"),
    Register(8, 4, "port capabilities 2"),
    Register(0xC, 2, "port control", ALL16),
    Register(0xE, 2, "port status", 0x0001),
    Register(0x10, 4, "resource capabilities"),
    Register(0x14, 4, "resource control", ALL32),
    Register(0x1A, 2, "resource status", 0x0003),
)

#: Extended capabilities, by id; registers after id, version and next.
EXTENDED = {
    0x01: Capability(
        "Advanced error reporting",
        (
            Register(4, 4, "uncorrectable status", ALL32),
            Register(8, 4, "uncorrectable mask", ALL32),
            Register(0xC, 4, "uncorrectable severity", ALL32),
            Register(0x10, 4, "correctable status", ALL32),
            Register(0x14, 4, "correctable mask", ALL32),
            # First error, ECRC and header recording that software chose.
            Register(0x18, 4, "capabilities and control", 0x00000D5F),
            Register(0x1C, 4, "header log 1", ALL32),
            Register(0x20, 4, "header log 2", ALL32),
            Register(0x24, 4, "header log 3", ALL32),
            Register(0x28, 4, "header log 4", ALL32),
        ),
    ),
    VC: Capability("Virtual channel", _VIRTUAL_CHANNEL),
    0x03: Capability(
        "Device serial number",
        (Register(4, 4, "lower half"), Register(8, 4, "upper half")),
    ),
    0x04: Capability(
        "Power budgeting",
        (
            Register(4, 1, "data select", ALL8),
            Register(8, 4, "data", ALL32),
        ),
    ),
    VC_MFVC: Capability("Virtual channel", _VIRTUAL_CHANNEL),
    0x0B: Capability("Vendor-specific"),
    0x0D: Capability(
        "Access control services",
        (Register(4, 2, "capabilities"), Register(6, 2, "control", ALL16)),
    ),
    0x0E: Capability(
        "Alternative routing ID",
        (Register(4, 2, "capabilities"), Register(6, 2, "control", ALL16)),
    ),
    0x0F: Capability(
        "Address translation services",
        (Register(4, 2, "capabilities"), Register(6, 2, "control", ALL16)),
    ),
    SRIOV: Capability(
        "SR-IOV",
        (
            Register(4, 4, "capabilities"),
            Register(8, 2, "control", ALL16),
            Register(0xA, 2, "status", ALL16),
            Register(0xC, 2, "initial VFs"),
            Register(0xE, 2, "total VFs"),
            Register(0x10, 2, "number of VFs", ALL16),
            Register(0x12, 1, "function dependency link"),
            # Both follow the number of VFs and the routing of IDs.
            Register(0x14, 2, "first VF offset", ALL16),
            Register(0x16, 2, "VF stride", ALL16),
            Register(0x1A, 2, "VF device ID"),
            Register(0x1C, 4, "supported page sizes"),
            Register(0x20, 4, "system page size", ALL32),
        ),
    ),
    0x13: Capability(
        "Page request interface",
        (
            Register(4, 2, "control", ALL16),
            Register(6, 2, "status", 0x0103),
            Register(8, 4, "capacity"),
            Register(0xC, 4, "allocation", ALL32),
        ),
    ),
    0x15: Capability("Resizable BAR"),
    0x17: Capability(
        "TPH requester",
        (
            Register(4, 4, "capabilities"),
            Register(8, 4, "control", 0x00000307),
        ),
    ),
    0x18: Capability(
        "Latency tolerance reporting",
        (
            Register(4, 2, "maximum snoop latency", ALL16),
            Register(6, 2, "maximum no-snoop latency", ALL16),
        ),
    ),
    0x19: Capability(
        "Secondary PCI Express",
        (
            Register(4, 4, "link control 3", ALL32),
            Register(8, 4, "lane error status", ALL32),
        ),
    ),
    0x1B: Capability(
        "Process address space ID",
        (Register(4, 2, "capabilities"), Register(6, 2, "control", ALL16)),
    ),
    0x1E: Capability(
        "L1 PM substates",
        (
            Register(4, 4, "capabilities"),
            Register(8, 4, "control 1", ALL32),
            Register(0xC, 4, "control 2", ALL32),
        ),
    ),
    0x1F: Capability(
        "Precision time measurement",
        (Register(4, 4, "capabilities"), Register(8, 4, "control", ALL32)),
    ),
    0x23: Capability("Designated vendor-specific"),
    0x25: Capability(
        "Data link feature",
        (Register(4, 4, "capabilities"), Register(8, 4, "status", ALL32)),
    ),
    0x26: Capability(
        "Physical layer 16.0 GT/s",
        (
            Register(4, 4, "capabilities"),
            Register(8, 4, "control", ALL32),
            Register(0xC, 4, "status", ALL32),
            Register(0x10, 4, "local parity mismatch", ALL32),
            Register(0x14, 4, "first retimer parity mismatch", ALL32),
            Register(0x18, 4, "second retimer parity mismatch", ALL32),
        ),
    ),
    0x2E: Capability(
        "Data object exchange",
        (
            Register(4, 4, "capabilities"),
            Register(8, 4, "control", ALL32),
            Register(0xC, 4, "status", ALL32),
            Register(0x10, 4, "write mailbox", ALL32),
            Register(0x14, 4, "read mailbox", ALL32),
        ),
    ),
}
