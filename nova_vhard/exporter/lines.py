# SPDX-License-Identifier: Apache-2.0
"""What a line of a log says: a decision, a policy that cannot be used.

A decision event (``nova_vhard.gates.events``) stands alone in its line,
behind a prefix of oslo.log, or as the message of a record that is JSON itself
(oslo.log's JSONFormatter).

Logs have outsiders' text in them. A line counts only by the name of its
logger in its own place, in front of everything that somebody else could have
written; what merely looks like an event further behind does not count.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

#: Logger of the events, and that of the policy file's troubles.
DECISIONS = "nova_vhard.decisions"
WATCH = "nova_vhard.policy.watch"

_DECISIONS = f" {DECISIONS} ".encode()
_WATCH = f" {WATCH} ".encode()
_PREFIX = 512
# What syslog puts in front: "Nov 25 09:14:02 host nova-api[4711]: ".
_SYSLOG = re.compile(rb'^[^\[{"]*\[\d+\]: ')
# Behind the logger's name oslo.log writes the request's ids in brackets.
_OUTSIDERS = re.compile(rb'[\[{"]')


class Unreadable(Exception):
    """A line that should be an event is none."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is counted of a decision event.

    :ivar violations: rule and mode of each
    :ivar seconds: that the judgement took
    """

    gate: str
    mode: str | None
    outcome: str
    violations: tuple[tuple[str, str], ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class PolicyUnusable:
    """A service says that its policy file cannot be used as it is."""


Said = Decision | PolicyUnusable


def read(line: bytes) -> Said | None:
    """Return what a line says; None if it is about something else.

    :raises Unreadable: if it should be an event and cannot be read
    """
    if line.startswith(b"{"):
        return _of_object(_object(line))
    if _logged_by(_DECISIONS, line) is not None:
        return _decision(_object(line[max(line.find(b"{"), 0) :]))
    before = _logged_by(_WATCH, line)
    if before is not None and before.endswith(b" ERROR"):
        return PolicyUnusable()
    return None


def _logged_by(field: bytes, line: bytes) -> bytes | None:
    """Return what stands before a logger's name in its own place."""
    before, found, _ = line[:_PREFIX].partition(field)
    if not found or _OUTSIDERS.search(_SYSLOG.sub(b"", before)):
        return None
    return before


def _of_object(data: dict[str, Any]) -> Said | None:
    """Read a line that is JSON: an event, or a record with a message."""
    name, message = data.get("name"), data.get("message")
    if not isinstance(message, str):
        return _decision(data)
    if name == DECISIONS:
        return _decision(_object(message))
    if name == WATCH and data.get("levelname") == "ERROR":
        return PolicyUnusable()
    return None


def _object(text: bytes | str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"no JSON: {error}") from error
    if not isinstance(data, dict):
        raise Unreadable("no JSON object")
    return data


def _decision(data: dict[str, Any]) -> Decision:
    """Take what is counted, in its own types.

    :raises Unreadable: if something is missing or of another type
    """
    try:
        mode = data["mode"]
        taken = data["microseconds"]
        return Decision(
            _text(data["gate"]),
            None if mode is None else _text(mode),
            _text(data["outcome"]),
            tuple(
                (rule, _text(one["mode"]))
                for one in data["violations"]
                for rule in _text(one["rule"]).split(", ")
            ),
            _seconds(taken),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        text = f"no decision event: {type(error).__name__}: {error}"
        raise Unreadable(text) from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text expected, not {type(value).__name__}")
    return value


def _seconds(microseconds: Any) -> float:
    if isinstance(microseconds, bool):
        raise TypeError("a number expected")
    seconds = microseconds / 1e6
    # Written so that NaN is refused too.
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{seconds} is no time")
    return float(seconds)
