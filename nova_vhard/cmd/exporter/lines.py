# SPDX-License-Identifier: Apache-2.0
"""What is counted of a line of a log (``nova_vhard.decisions``)."""

from dataclasses import dataclass
from typing import Any

from nova_vhard.common import decisions
from nova_vhard.common.decisions import (
    DECISIONS,
    WATCH,
    PolicyUnusable,
    Unreadable,
    text,
    violations,
)

__all__ = [
    "DECISIONS",
    "WATCH",
    "Decision",
    "PolicyUnusable",
    "Said",
    "Unreadable",
    "read",
]


@dataclass(frozen=True, slots=True)
class Decision:
    """What is counted of a decision event.

    :ivar violations: rule, mode and how many
    :ivar seconds: that the judgement took
    """

    gate: str
    mode: str | None
    outcome: str
    violations: tuple[tuple[str, str, int], ...]
    seconds: float


Said = Decision | PolicyUnusable


def read(line: bytes) -> Said | None:
    """Return what a line says; None if it is about something else.

    :raises Unreadable: if it should be an event and cannot be read
    """
    stated = decisions.read(line)
    if isinstance(stated, decisions.Event):
        return _decision(stated.data)
    return stated


def _decision(data: dict[str, Any]) -> Decision:
    """Take what is counted, in its own types.

    :raises Unreadable: if something is missing or of another type
    """
    try:
        mode = data["mode"]
        taken = data["microseconds"]
        return Decision(
            text(data["gate"]),
            None if mode is None else text(mode),
            text(data["outcome"]),
            tuple(violations(data)),
            _seconds(taken),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        problem = f"no decision event: {type(error).__name__}: {error}"
        raise Unreadable(problem) from error


def _seconds(microseconds: Any) -> float:
    if isinstance(microseconds, bool):
        raise TypeError("a number expected")
    seconds = microseconds / 1e6
    # Written so that NaN is refused too.
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{seconds} is no time")
    return float(seconds)
