# SPDX-License-Identifier: Apache-2.0
"""Parser for the firmware's boot event log, and replay of its PCRs.

Source: TCG PC Client Platform Firmware Profile, chapter "Event Logging"
(TCG_PCR_EVENT, TCG_PCR_EVENT2, TCG_EfiSpecIDEvent, StartupLocality).
"""

import hashlib
import struct
from collections.abc import Iterator, Mapping

# Not SHA-1: with its collisions another log can lead to the same register.
#: Banks that are believed: name as in sysfs to TPM_ALG_ID.
BANKS = {"sha256": 0x000B, "sha384": 0x000C, "sha512": 0x000D}

#: What the firmware measures into, before anything of the host runs.
FIRMWARE = range(8)

#: No log is longer, nor has more events.
LIMIT = 4 << 20
# Counts in a log have 32 bits: a damaged one must not keep root's pre-step
# busy.
_MAX_EVENTS = 20_000
_MAX_BANKS = 16

_NO_ACTION = 3
_SPEC_ID = b"Spec ID Event03\0"
_LOCALITY = b"StartupLocality\0"
_SHA1 = 20

#: Of a log that has those of SHA-1 alone.
NO_BANK = "it has no SHA-256 digests"

#: Name of a bank to PCR to its value in hexadecimal digits.
Replay = Mapping[str, Mapping[int, str]]


class BadLog(ValueError):
    """Raised for a log that ends early, or is of another format."""


class _Reader:
    """Reads numbers and bytes, one after the other."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0

    def __bool__(self) -> bool:
        return self._place < len(self._content)

    def take(self, size: int) -> bytes:
        """Return the next bytes.

        :raises BadLog: if there are not so many
        """
        part = self._content[self._place : self._place + size]
        if len(part) != size:
            raise BadLog(f"it ends within an event, at byte {self._place}")
        self._place += size
        return part

    def numbers(self, layout: str) -> tuple[int, ...]:
        """Return the next numbers, of a layout as struct has it."""
        # "<": little endian and no padding on every machine, as the TCG has
        # it.
        layout = f"<{layout}"
        return struct.unpack(layout, self.take(struct.calcsize(layout)))


def replay(content: bytes) -> Replay:
    """Return what the events of a log make of the firmware's PCRs.

    :returns: each bank that the log has; PCRs without an event too
    :raises BadLog: if it cannot be replayed to its end
    """
    reader = _Reader(content)
    sizes = _sizes(reader)
    # PCR 0 to 7 are zero after TPM2_Startup(CLEAR).
    values = {
        name: {pcr: bytes(sizes[number]) for pcr in FIRMWARE}
        for name, number in BANKS.items()
        if number in sizes
    }
    if not values:
        raise BadLog(NO_BANK)
    for pcr, kind, digests, data in _events(reader, sizes):
        for name, pcrs in values.items():
            # EV_NO_ACTION is never extended. The event StartupLocality says
            # that the firmware started the TPM from another locality than 0:
            # PCR 0 then begins with its number (TPM2_Startup).
            if kind == _NO_ACTION:
                begun, _, locality = data.partition(_LOCALITY)
                if pcr == 0 and not begun and len(locality) == 1:
                    pcrs[0] = pcrs[0][:-1] + locality
            elif pcr in pcrs:
                before = pcrs[pcr]
                # UNKNOWN by BadLog: without this digest every later value
                # would be wrong, and a gap in the log would be a FAIL.
                digest = digests.get(BANKS[name])
                if digest is None:
                    raise BadLog(f"an event without its {name} digest")
                # As TPM2_PCR_Extend, so that the order of events counts.
                pcrs[pcr] = hashlib.new(name, before + digest).digest()
    return {
        name: {pcr: value.hex() for pcr, value in pcrs.items()}
        for name, pcrs in values.items()
    }


def _sizes(reader: _Reader) -> dict[int, int]:
    """Return the algorithms of a log and the sizes of their digests."""
    # The first event alone has the layout of TPM 1.2, with room for one SHA-1
    # digest, so that older programs can step over it.
    pcr, kind = reader.numbers("II")
    reader.take(_SHA1)
    (size,) = reader.numbers("I")
    head = _Reader(reader.take(size))
    if pcr or kind != _NO_ACTION or head.take(len(_SPEC_ID)) != _SPEC_ID:
        raise BadLog("it does not begin as the log of a TPM 2.0")
    # Class, version and width of the platform's integers.
    head.take(8)
    (count,) = head.numbers("I")
    if count > _MAX_BANKS:
        raise BadLog("more banks than any TPM has")
    # With the sizes from the log itself, digests of algorithms that are not in
    # BANKS can be stepped over.
    return dict([head.numbers("HH") for _ in range(count)])  # type: ignore[misc]


def _events(
    reader: _Reader, sizes: Mapping[int, int]
) -> Iterator[tuple[int, int, Mapping[int, bytes], bytes]]:
    """Yield the PCR, type, digests and data of each event.

    :raises BadLog: for an event that cannot be read
    """
    for _ in range(_MAX_EVENTS):
        # There is no padding at the end: the kernel writes event by event
        # (tpm2_binary_bios_measurements_show).
        if not reader:
            return
        pcr, kind, count = reader.numbers("III")
        if count > _MAX_BANKS:
            raise BadLog("an event with more digests than any TPM has")
        digests = {}
        for _ in range(count):
            (number,) = reader.numbers("H")
            # Without its size nothing behind it can be found.
            if number not in sizes:
                raise BadLog(f"a digest of the unknown algorithm {number:#x}")
            digests[number] = reader.take(sizes[number])
        (size,) = reader.numbers("I")
        yield pcr, kind, digests, reader.take(size)
    raise BadLog("more events than any firmware writes")
