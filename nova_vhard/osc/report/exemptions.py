# SPDX-License-Identifier: Apache-2.0
"""Exemptions and their ends, for the report and Horizon's panel."""

import datetime
from collections.abc import Collection, Sequence
from typing import Any

from nova_vhard.policy.check import SELECTORS
from nova_vhard.policy.model import Exemption
from nova_vhard.policy.top_violations import MOST

#: Days before its end from which an exemption counts as ending.
SOON = 14


def ending(
    exemptions: Sequence[Exemption], today: datetime.date
) -> list[Exemption]:
    """Return the exemptions that have ended, or will soon."""
    return [item for item in exemptions if (item.until - today).days <= SOON]


def rows(
    exemptions: Sequence[Exemption], today: datetime.date
) -> list[dict[str, Any]]:
    """Return the rows of exemptions, the earliest end first.

    :returns: each with its ``id``, ``reason``, ``who``, ``rules``, ``until``
        and ``state``: a class of a page's style, and words
    """
    return [
        {
            "id": item.id,
            "reason": item.reason,
            "who": [
                f"{name}: {_listed(getattr(item, name))}"
                for name in SELECTORS
                if getattr(item, name)
            ],
            "rules": [
                f"{rule}: {', '.join(values.listed)}"
                for rule, values in item.rules.items()
            ],
            "until": item.until.isoformat(),
            "state": _state((item.until - today).days),
        }
        for item in sorted(exemptions, key=lambda exemption: exemption.until)
    ]


def _listed(names: Collection[str]) -> str:
    """Return the first names in order, and the number of the others."""
    shown = sorted(names)[:MOST]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _state(days: int) -> tuple[str, str]:
    """Return a class of the page's style, and words."""
    if days < 0:
        return "bad", "has ended"
    if days <= SOON:
        return "soon", f"ends in {days} days" if days else "ends today"
    return "good", f"{days} days left"
