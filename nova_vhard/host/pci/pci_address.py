# SPDX-License-Identifier: Apache-2.0
"""Addresses in ``[pci] device_spec``: with stars, or regular expressions.

The meaning is Nova's (``PciAddressSpec`` and its kin in nova/pci/devspec.py).
"""

import abc
import re
from dataclasses import dataclass
from typing import Any

ANY = "*"

# MAX_DOMAIN, MAX_BUS, MAX_SLOT and MAX_FUNC of nova/pci/devspec.py.
_LARGEST = {"domain": 0xFFFF, "bus": 0xFF, "slot": 0x1F, "function": 0x7}
_DIGITS = {"domain": 4, "bus": 2, "slot": 2, "function": 1}
_FIELDS = tuple(_LARGEST)
_ONLY_HEX = re.compile(r"[0-9a-fA-F]*")

#: Domain, bus, slot and function.
Fields = tuple[str, ...]


class SpecError(ValueError):
    """Nova refuses this entry: nova-compute does not start with it."""


@dataclass(frozen=True)
class AddressSpec(abc.ABC):
    """An address with a condition for each field.

    :ivar parts: domain, bus, slot and function
    """

    parts: Fields

    @abc.abstractmethod
    def matches(self, address: Fields) -> bool:
        """Return whether a device's address fulfils every condition."""

    @property
    def single(self) -> str | None:
        """The one address that this looks like, None for several."""
        # is_single_address() of Nova: an expression without special characters
        # is an address to it, and so is an empty field.
        if not all(_ONLY_HEX.fullmatch(part) for part in self.parts):
            return None
        domain, bus, slot, function = self.parts
        return f"{domain}:{bus}:{slot}.{function}"


class GlobSpec(AddressSpec):
    """Each field is a number, or a star for any."""

    def matches(self, address: Fields) -> bool:
        """Compare field by field."""
        return all(
            wanted in (ANY, result)
            for wanted, result in zip(self.parts, address, strict=True)
        )


class RegexSpec(AddressSpec):
    """Each field is a regular expression, matched at its beginning."""

    def matches(self, address: Fields) -> bool:
        """Search at the beginning of each field, as Nova does."""
        # match() and not fullmatch(), as Nova: with fullmatch() a device that
        # guests can get would count as one that is not offered.
        return all(
            re.match(wanted, result)
            for wanted, result in zip(self.parts, address, strict=True)
        )


def quoted(value: object) -> str:
    """Return the beginning of a value, sanitized for one line of text."""
    return repr(str(value)[:64])


def number(name: str, value: str, largest: int, digits: int) -> str:
    """Return a hexadecimal number as Nova writes it, or the star.

    :param largest: largest number allowed
    :param digits: number of digits to pad to
    :raises SpecError: if it is not a number, or is too large
    """
    if value == ANY:
        return value
    try:
        # int() also takes "0x1", "1_0" and spaces around it: so does Nova,
        # which calls it as well.
        result = int(value, 16)
    except ValueError as error:
        raise SpecError(
            f"property {name} ({quoted(value)}) does not parse as a hex "
            "number."
        ) from error
    if result > largest:
        raise SpecError(
            f"property {name} ({quoted(value)}) is greater than the maximum "
            f"allowable value ({largest:X})."
        )
    # sysfs pads its numbers; matches() compares texts.
    return f"{result:0{digits}x}"


def read(value: Any) -> AddressSpec:
    """Read the address of an entry: text with stars, or regular expressions.

    :raises SpecError: if it is not a valid address
    """
    if isinstance(value, str):
        return glob(value)
    if isinstance(value, dict):
        # A key that Nova does not know ("slots") leaves that field open.
        fields = tuple(value.get(name, ".*") for name in _FIELDS)
        try:
            for field in fields:
                # TypeError: a number instead of a text. Nova does not catch
                # that, and does not start.
                re.compile(field)
        except (re.error, TypeError, RecursionError, OverflowError) as error:
            raise SpecError(
                f"The PCI address {quoted(value)} has an incorrect format"
            ) from error
        return RegexSpec(fields)
    raise SpecError(f"The PCI address {quoted(value)} has an incorrect format")


def glob(text: str) -> GlobSpec:
    """Read an address in which parts may be omitted.

    :raises SpecError: if a part is not a number, or is too large
    """
    front, _, function = text.partition(".")
    fields = front.split(":") if front else []
    if len(fields) > 3:  # noqa: PLR2004 - domain, bus and slot
        raise SpecError(f"The PCI address {quoted(text)} has too many fields")
    # Fields may be missing at the front: "00.1" is a slot and a function.
    fields = [ANY] * (3 - len(fields)) + [
        field.strip() or ANY for field in fields
    ]
    # A blank function is invalid; other blank fields match anything.
    fields.append(function.strip() if function else ANY)
    parts = tuple(
        number(name, field, _LARGEST[name], _DIGITS[name])
        for name, field in zip(_FIELDS, fields, strict=True)
    )
    return GlobSpec(parts)
