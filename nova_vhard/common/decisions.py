# SPDX-License-Identifier: Apache-2.0
"""Decision events in the lines of a log, and what they count.

A decision event (``nova_vhard.policy.events``) stands alone in its line,
behind a prefix of oslo.log, or as the message of a record that is JSON itself
(oslo.log's JSONFormatter, ``journalctl -o json``).

Logs contain untrusted text. A line counts only if the logger's name is in its
own field, before any text that an outsider could have written. Text further on
that merely looks like an event does not count.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

#: Logger of the events.
DECISIONS = "nova_vhard.decisions"

_PREFIX = 512
# What syslog puts in front: "Nov 25 09:14:02 host nova-api[4711]: ".
_SYSLOG = re.compile(rb'^[^\[{"]*\[\d+\]: ')
# Behind the logger's name oslo.log writes the request's ids in brackets.
_OUTSIDERS = re.compile(rb'[\[{"]')

#: More violations than any request can have.
_MANY = 10**9
# A line of a traceback has no brackets: the level, the name of its logger, and
# then an exception's text, which may be anything.
_OTHER_LOGGER = re.compile(
    rb"\b(?:TRACE|DEBUG|INFO|AUDIT|WARNING|ERROR|CRITICAL)\b.*[A-Za-z]"
)

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)")


class Unreadable(Exception):
    """Raised if a line is not a valid event."""


@dataclass(frozen=True, slots=True)
class Event:
    """A parsed decision event; its keys are not checked.

    :ivar data: the JSON object
    :ivar time: when it was written, ``2026-11-25 09:14:02``; None if the
        line has no time
    """

    data: dict[str, Any]
    time: str | None = None


def violations(data: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Yield rule, mode and number of what an event counts.

    :param data: of an event; a violation has its ``rules``, or in an older
        event ``rule`` alone, which may name several; what is left out of the
        violations is counted in ``more``
    :raises KeyError, TypeError: if something is missing or of another type
    """
    for violation in data["violations"]:
        for rule in _rules(violation):
            yield text(rule), text(violation["mode"]), 1
    for kind in data.get("more", ()):
        for rule in _rules(kind):
            value = kind["count"]
            if type(value) is not int or not 0 < value <= _MANY:
                raise TypeError("a count expected")
            yield text(rule), text(kind["mode"]), value


def _rules(violation: dict[str, Any]) -> list[Any]:
    if "rules" not in violation:
        return text(violation["rule"]).split(", ")
    rules = violation["rules"]
    if not isinstance(rules, list):
        raise TypeError("a list of rules expected")
    return rules


def text(value: Any) -> str:
    """Return a value that must be text.

    :raises TypeError: if it is something else
    """
    if not isinstance(value, str):
        raise TypeError(f"text expected, not {type(value).__name__}")
    return value


def read(line: bytes) -> Event | None:
    """Return the event of a line; None if it is about something else.

    :raises Unreadable: if it should be an event and is no JSON object
    """
    if line.startswith(b"{"):
        data = _object(line)
        # Where a record of the journal has its line.
        inner = data.get("MESSAGE")
        if not isinstance(inner, str):
            return _of_record(data)
        line = inner.encode(errors="replace")
        if line.startswith(b"{"):
            return _of_record(_object(line))
    before = _logged_by(f" {DECISIONS} ".encode(), line)
    if before is None:
        return None
    data = _object(b"{" + line.partition(b"{")[2])
    return Event(data, _time(before.decode(errors="replace")))


def _of_record(data: dict[str, Any]) -> Event | None:
    """Read a line that is JSON: an event, or a record with a message."""
    name, message = data.get("name"), data.get("message")
    if not isinstance(message, str):
        return Event(data, _time_of(data))
    if name == DECISIONS:
        return Event(_object(message), _time_of(data))
    return None


def _logged_by(field: bytes, line: bytes) -> bytes | None:
    """Return the text before the logger's name, or None."""
    before, result, _ = line[:_PREFIX].partition(field)
    if not result:
        return None
    own = _SYSLOG.sub(b"", before)
    if _OUTSIDERS.search(own) or _OTHER_LOGGER.search(own):
        return None
    return before


def _object(text: bytes | str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"no JSON: {error}") from error
    if not isinstance(data, dict):
        raise Unreadable("no JSON object")
    return data


def _time_of(data: dict[str, Any]) -> str | None:
    times = (
        _time(str(data.get(name))) for name in ("time", "timestamp", "asctime")
    )
    return next((time for time in times if time is not None), None)


def _time(text: str) -> str | None:
    match = _TIME.search(text)
    return None if match is None else f"{match[1]} {match[2]}"
