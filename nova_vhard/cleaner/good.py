# SPDX-License-Identifier: Apache-2.0
"""The good state of a device, as it was enrolled."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GoodState:
    """What a device was like when somebody said that it is good.

    :ivar identity: files of its folder in sysfs (vendor, device, class, …)
        with their content
    :ivar config: its configuration space as it was read, volatile bits
        cleared
    :ivar rom: SHA-256 of its option ROM in hexadecimal, None for no ROM
    :ivar when: ISO 8601, UTC
    :ivar by: who enrolled it
    """

    address: str
    identity: tuple[tuple[str, str], ...]
    config: bytes
    rom: str | None
    when: str
    by: str
