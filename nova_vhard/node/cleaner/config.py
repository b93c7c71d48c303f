# SPDX-License-Identifier: Apache-2.0
"""The PCI configuration space of a device: read whole, and compared.

Which bits are compared is decided by the enrolled bytes alone: a device
cannot hide a change by another list of capabilities, which is a change too.
"""

from collections.abc import Iterable, Iterator

from nova_vhard.host import pci
from nova_vhard.host.root import HostRoot, Unreadable, unreadable
from nova_vhard.node.cleaner import config_layout as layout
from nova_vhard.node.cleaner.config_layout import Register

#: Bytes of the space of a PCI and of a PCI Express device.
SIZES = (256, 4096)

_EXTENDED = 0x100
_IO = 0x1
_MEMORY_64 = 0x4


def read(root: HostRoot, address: str) -> bytes:
    """Return the whole configuration space of a device.

    :raises Unreadable: if it cannot be read, or not to its end, as is so
        for everybody but root; or if the device does not answer
    """
    where = f"{pci.path(address)}/config"
    with root.open(where) as file:
        try:
            data = file.read(max(SIZES) + 1)
        except OSError as error:
            raise Unreadable(where, error) from error
    if len(data) not in SIZES:
        raise unreadable(
            where, f"{len(data)} bytes, where all are 256 or 4096"
        )
    size = root.stat(where).st_size
    if size != len(data):
        raise unreadable(where, f"{len(data)} of {size} bytes")
    if data[:2] == b"\xff\xff":
        raise unreadable(where, "the device does not answer")
    return data


def command(data: bytes) -> int:
    """Return the command register."""
    return int.from_bytes(data[4:6], "little")


def differences(
    good: bytes, now: bytes, ignored: Iterable[int] = ()
) -> list[str]:
    """Return in words what has changed; nothing for what comes and goes.

    :param good: the space as it was enrolled
    :param ignored: offsets of bytes that are not compared
    """
    if len(good) != len(now):
        return [f"its size: enrolled {len(good)} bytes, now {len(now)}"]
    registers = list(_registers(good))
    # Each bit that is compared is 1.
    mask = bytearray(b"\xff" * len(good))
    for register in registers:
        volatile = register.volatile.to_bytes(register.size, "little")
        for offset, bits in enumerate(volatile, register.offset):
            if offset < len(mask):
                mask[offset] &= ~bits & 0xFF
    for offset in ignored:
        if offset < len(mask):
            mask[offset] = 0
    changed = {
        offset
        for offset, bits in enumerate(mask)
        if (good[offset] ^ now[offset]) & bits
    }
    result: list[str] = []
    for register in registers:
        whole = range(register.offset, register.offset + register.size)
        if changed.intersection(whole):
            result.append(_shown(register.name, whole, good, now))
            changed.difference_update(whole)
    for run in _runs(sorted(changed)):
        result.append(_shown(_place(good, run.start), run, good, now))
    return result


def _shown(name: str, where: range, good: bytes, now: bytes) -> str:
    item, other = (
        data[where.start : where.stop][::-1].hex() for data in (good, now)
    )
    return f"{name} (0x{where.start:02x}): enrolled 0x{item}, now 0x{other}"


def _runs(offsets: list[int]) -> Iterator[range]:
    """Yield what lies together, no more than a double word at a time."""
    while offsets:
        first = offsets[0]
        end = first
        while offsets and offsets[0] == end and end - first < 4:  # noqa: PLR2004
            offsets = offsets[1:]
            end += 1
        yield range(first, end)


def _registers(data: bytes) -> Iterator[Register]:
    """Yield every register that is known, with its place in the space."""
    yield from layout.HEADER
    if not data[0x0E] & 0x7F:
        yield from _bars(data, layout.BAR_OFFSET, "Base address")
    for offset, known, extended in _capabilities(data):
        for register in (*known.registers, *_more(data, offset, extended)):
            yield Register(
                offset + register.offset,
                register.size,
                f"{known.name}: {register.name}",
                register.volatile,
            )


def _more(data: bytes, offset: int, extended: bool) -> Iterator[Register]:
    """Yield the registers that a capability has by what it says itself."""
    result = data[offset]
    if extended:
        if result == layout.SRIOV:
            for bar in _bars(data, offset + 0x24, "VF base address"):
                place = bar.offset - offset
                yield Register(place, bar.size, bar.name, bar.volatile)
        elif result in (layout.VC, layout.VC_MFVC):
            more = int.from_bytes(data[offset + 4 : offset + 5], "little")
            for number in range(1, (more & 0x7) + 1):
                at = 0x10 + 0xC * number
                name = f"{number}: resource"
                yield Register(at, 4, f"{name} capabilities")
                yield Register(at + 4, 4, f"{name} control", layout.ALL32)
                yield Register(at + 0xA, 2, f"{name} status", 0x0003)
    elif result == layout.PCIE and data[offset + 2] & 0xF > 1:
        yield from layout.PCIE_2
    elif result == layout.MSI:
        yield from _messages(data[offset + 2] | data[offset + 3] << 8)


def _messages(control: int) -> Iterator[Register]:
    """Yield MSI's registers, which all are set by software or pending."""
    wide, masked = control & 0x80, control & 0x100
    yield Register(4, 4, "address", layout.ALL32)
    at = 8
    if wide:
        yield Register(at, 4, "upper address", layout.ALL32)
        at += 4
    yield Register(at, 2, "data", layout.ALL16)
    if masked:
        yield Register(at + 4, 4, "mask", layout.ALL32)
        yield Register(at + 8, 4, "pending", layout.ALL32)


def _bars(data: bytes, start: int, name: str) -> Iterator[Register]:
    """Yield base address registers: addresses come and go, kinds do not.

    One that was 0 is none, and stays 0.
    """
    upper = False
    for number in range(layout.BAR_COUNT):
        offset = start + 4 * number
        value = int.from_bytes(data[offset : offset + 4], "little")
        fixed = 0x3 if value & _IO else 0xF
        if upper:
            volatile = layout.ALL32
        else:
            volatile = layout.ALL32 & ~fixed if value else 0
        upper = not upper and not value & _IO and bool(value & _MEMORY_64)
        yield Register(offset, 4, f"{name} {number}", volatile)


def _capabilities(
    data: bytes,
) -> Iterator[tuple[int, layout.Capability, bool]]:
    """Yield offset, what is known, and whether it is an extended one."""
    offset = data[0x34] & 0xFC if data[0x06] & 0x10 else 0
    seen: set[int] = set()
    # No capability lies in the header, or is passed twice.
    while offset >= 0x40 and offset not in seen:  # noqa: PLR2004
        seen.add(offset)
        unknown = layout.Capability(f"Capability 0x{data[offset]:02x}")
        yield offset, layout.CAPABILITIES.get(data[offset], unknown), False
        offset = data[offset + 1] & 0xFC
    offset = _EXTENDED
    while _EXTENDED <= offset < len(data) and offset not in seen:
        seen.add(offset)
        head = int.from_bytes(data[offset : offset + 4], "little")
        if head in (0, layout.ALL32):
            return
        unknown = layout.Capability(
            f"Extended capability 0x{head & 0xFFFF:04x}"
        )
        yield offset, layout.EXTENDED.get(head & 0xFFFF, unknown), True
        offset = head >> 20 & 0xFFC


def _place(data: bytes, offset: int) -> str:
    """Name the capability that a byte belongs to, or seems to."""
    before = [
        (start, known.name)
        for start, known, _ in _capabilities(data)
        if start <= offset and (start >= _EXTENDED) == (offset >= _EXTENDED)
    ]
    if not before:
        return "Byte"
    start, name = max(before)
    return f"{name} at 0x{start:02x}, byte {offset - start}"
