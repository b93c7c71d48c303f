# SPDX-License-Identifier: Apache-2.0
"""Rules that assign cleaning steps to devices: ``cleaning.yaml``.

The first entry that matches a device wins. A device that matches no entry is
not released.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova_vhard.host.pci import PciDevice


@dataclass(frozen=True)
class StepRule:
    """One step of an entry.

    :ivar step: name of the step
    :ivar settings: the step's own, valid by its schema
    :ivar priority: the higher, the earlier
    :ivar time_limit: seconds
    """

    step: str
    settings: Mapping[str, Any]
    priority: int
    time_limit: float


@dataclass(frozen=True)
class Entry:
    """Cleaning steps for the devices that the entry matches.

    :ivar name: its name in the file
    :ivar vendors: four hexadecimal digits each; empty for any
    :ivar products: likewise
    :ivar classes: first two, four or six digits of a class; empty for any
    :ivar steps: in the order in which they run, never empty
    """

    name: str
    vendors: frozenset[str]
    products: frozenset[str]
    classes: frozenset[str]
    steps: tuple[StepRule, ...]

    def matches(self, device: PciDevice, device_class: str) -> bool:
        """Return whether this entry is for a device.

        :param device_class: as the kernel writes it: ``0x010802``
        """
        digits = device_class.removeprefix("0x").lower()
        return (
            device.vendor in (self.vendors or {device.vendor})
            and device.product in (self.products or {device.product})
            and (not self.classes or digits.startswith(tuple(self.classes)))
        )

    def covers(self, other: "Entry") -> bool:
        """Return whether this matches every device that another matches."""
        return (
            _within(other.vendors, self.vendors)
            and _within(other.products, self.products)
            and (
                not self.classes
                or (
                    bool(other.classes)
                    and all(
                        class_.startswith(tuple(self.classes))
                        for class_ in other.classes
                    )
                )
            )
        )


def _within(narrow: frozenset[str], wide: frozenset[str]) -> bool:
    """Return whether a condition, empty for any, lies within another."""
    return not wide or (bool(narrow) and narrow <= wide)


@dataclass(frozen=True)
class Rules:
    """A rules file.

    :ivar file: its path
    :ivar digest: of its content, for the record of what was done
    """

    file: str
    digest: str
    entries: tuple[Entry, ...]

    def entry_for(self, device: PciDevice, device_class: str) -> Entry | None:
        """Return the first entry that matches a device, None for none."""
        for entry in self.entries:
            if entry.matches(device, device_class):
                return entry
        return None

    def steps_for(
        self, device: PciDevice, device_class: str
    ) -> tuple[StepRule, ...] | None:
        """Return a device's steps in their order; None: never release it.

        :param device_class: as the kernel writes it: ``0x010802``
        """
        entry = self.entry_for(device, device_class)
        return entry.steps if entry else None
