# SPDX-License-Identifier: Apache-2.0
"""Parser for the counted notifications (``nova_vhard.policy.notify``).

Any process that may write to the bus can send anything: a payload without the
documented types and sizes is counted as unreadable only.
"""

import re
from dataclasses import dataclass
from typing import Any

from nova_vhard.common import decisions
from nova_vhard.common.decisions import Unreadable, text

__all__ = ["Decision", "Runs", "Unreadable", "decision", "dropped", "runs"]

#: The versions that are understood: what a later one of them has more is
#: left alone.
_VERSION = re.compile(r"1\.[0-9]{1,4}\Z")
_DIGEST = re.compile(r"[0-9a-f]{16}\Z")
#: More entries than any event of a gate has.
_MOST = 1000
#: More than any process drops between two notifications.
_MANY = 10**9
#: Seconds, more than any judgement takes: a sum of such stays a number.
_LONGEST = 86_400
_WRONG = (KeyError, TypeError, ValueError, OverflowError)


@dataclass(frozen=True, slots=True)
class Decision:
    """Counted fields of a decision event.

    :ivar violations: rule, mode and number
    :ivar seconds: time that the judgement took
    """

    gate: str
    mode: str | None
    outcome: str
    violations: tuple[tuple[str, str, int], ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Runs:
    """The state of a service's process.

    :ivar process: its ID on its host
    :ivar policy: digest of the policy in force
    :ivar refused: why it cannot use its policy file; None if it can
    """

    process: int
    policy: str | None
    refused: str | None


def dropped(payload: Any) -> int:
    """Return how many notifications its process dropped before this one.

    :raises Unreadable: if it is not a payload of a supported version
    """
    if not isinstance(payload, dict):
        raise Unreadable("no object")
    version = payload.get("version")
    if not isinstance(version, str) or not _VERSION.match(version):
        raise Unreadable("not of a version 1")
    count = payload.get("dropped")
    if type(count) is not int or not 0 <= count <= _MANY:
        raise Unreadable("dropped: a count expected")
    return count


def decision(payload: dict[str, Any]) -> Decision:
    """Take what is counted, in its own types.

    :raises Unreadable: if something is missing, of another type, or too much
    """
    try:
        mode = payload["mode"]
        entries = (*payload["violations"], *payload.get("more", ()))
        if len(entries) > _MOST:
            raise ValueError(f"more than {_MOST} violations")
        result = tuple(decisions.violations(payload))
        if len(result) > _MOST:
            raise ValueError(f"more than {_MOST} rules")
        microseconds = payload["microseconds"]
        if isinstance(microseconds, bool):
            raise TypeError("a number expected")
        seconds = microseconds / 1e6
        # Written so that NaN is refused too.
        if not 0 <= seconds <= _LONGEST:
            raise ValueError(f"{seconds} is not a plausible duration")
        return Decision(
            text(payload["gate"]),
            None if mode is None else text(mode),
            text(payload["outcome"]),
            result,
            float(seconds),
        )
    except _WRONG as error:
        raise Unreadable(
            f"no decision event: {type(error).__name__}: {error}"
        ) from error


def runs(payload: dict[str, Any]) -> Runs:
    """Take what a process runs; raises as ``decision`` does."""
    try:
        process, digest = int(payload["process"]), payload["policy"]
        refused = payload["refused"]
        if digest is not None and not _DIGEST.match(digest):
            raise ValueError("a digest expected")
        return Runs(process, digest, refused and text(refused))
    except _WRONG as error:
        raise Unreadable(
            f"no policy event: {type(error).__name__}: {error}"
        ) from error
