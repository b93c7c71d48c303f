# SPDX-License-Identifier: Apache-2.0
"""The address of a PCI function: ``0000:0a:00.1``."""

import re

_ADDRESS = re.compile(
    r"([0-9a-f]{4}):([0-9a-f]{2}):([01][0-9a-f])\.([0-7])",
    re.ASCII | re.IGNORECASE,
)


def fields(text: str) -> tuple[str, str, str, str] | None:
    """Return domain, bus, slot and function, as written.

    :returns: None for an invalid address. Domains of 32 bits, such as those
        of Intel's VMD, are invalid: Nova skips them
    """
    match = _ADDRESS.fullmatch(text)
    if not match:
        return None
    return match[1], match[2], match[3], match[4]


def address(text: str) -> str | None:
    """Return an address in lower case, or None if it is invalid."""
    return text.lower() if fields(text) else None
