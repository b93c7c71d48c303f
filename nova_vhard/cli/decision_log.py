# SPDX-License-Identifier: Apache-2.0
"""Decision events, read back from log files.

An event is one JSON object (``nova_vhard.gates.events``). In a file it stands
alone, behind a prefix of oslo.log, or as the message of a record that is JSON
itself (oslo.log's JSONFormatter, journald).
"""

import contextlib
import gzip
import io
import json
import re
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

#: Bytes; a longer line is no event, and is not kept in memory.
LONGEST = 1 << 20

STDIN = "-"

_GZIP = b"\x1f\x8b"
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)")
_TIMES = ("time", "timestamp", "asctime")
_MESSAGES = ("message", "MESSAGE")

# What a line has that is an event, or was one before it was damaged.
_MARKS = (b"nova_vhard.decisions", b'{"request":', b'{\\"request\\":')

_DECODE = json.JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class Event:
    """A decision event.

    :ivar data: the JSON object
    :ivar time: when it was written, ``2026-11-25 09:14:02``; None where the
        line does not say it
    """

    data: dict[str, Any]
    time: str | None


@dataclass
class Read:
    """What was found so far.

    :ivar events: number of events
    :ivar other: number of lines about something else
    :ivar unreadable: number of lines that should be events and are not
    :ivar damaged: files that end in the middle, with what is wrong
    """

    events: int = 0
    other: int = 0
    unreadable: int = 0
    damaged: list[str] = field(default_factory=list)


def events(path: str, found: Read) -> Iterator[Event]:
    """Yield the events of a file, line by line, in little memory.

    :param path: of a text or gzip file; ``-`` is standard input
    :param found: counts go here
    :raises OSError: if the file cannot be opened or read
    """
    with _opened(path) as stream:
        try:
            for line in _lines(stream):
                event = _event(line, found)
                if event is not None:
                    yield event
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            found.damaged.append(f"{path}: {error}")


@contextlib.contextmanager
def _opened(path: str) -> Iterator[io.BufferedIOBase]:
    with contextlib.ExitStack() as stack:
        stream: Any = sys.stdin.buffer
        if path != STDIN:
            stream = stack.enter_context(open(path, "rb"))
        if stream.peek(len(_GZIP))[: len(_GZIP)] == _GZIP:
            stream = stack.enter_context(gzip.GzipFile(fileobj=stream))
        yield stream


def _lines(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """Yield lines; of one that is too long the first part only."""
    while line := stream.readline(LONGEST):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = stream.readline(LONGEST)
        yield line


def _event(line: bytes, found: Read) -> Event | None:
    """Read a line, and count it."""
    marked = any(mark in line for mark in _MARKS)
    event = None
    if marked or line.startswith(b"{"):
        event = _parsed(line.decode(errors="replace"))
    if event is not None:
        found.events += 1
    elif marked:
        found.unreadable += 1
    elif line.strip():
        found.other += 1
    return event


def _parsed(text: str) -> Event | None:
    start = text.find('{"request":')
    if start < 0:
        start = text.find("{")
    data = _object(text[start:]) if start >= 0 else None
    if data is None:
        return None
    match = _TIME.search(text[:start])
    time = _time_of(data) if match is None else f"{match[1]} {match[2]}"
    for name in _MESSAGES:
        inner = data.get(name)
        if isinstance(inner, str):
            data = _object(inner[max(inner.find("{"), 0) :])
            break
    return Event(data, time) if data is not None and _is_event(data) else None


def _object(text: str) -> dict[str, Any] | None:
    try:
        data, _ = _DECODE(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _time_of(data: dict[str, Any]) -> str | None:
    for name in _TIMES:
        match = _TIME.match(str(data.get(name)))
        if match is not None:
            return f"{match[1]} {match[2]}"
    return None


def _is_event(data: dict[str, Any]) -> bool:
    """Tell whether an object has what is counted, in its own types."""
    violations = data.get("violations")
    return (
        isinstance(data.get("gate"), str)
        and isinstance(data.get("outcome"), str)
        and isinstance(data.get("operation"), str)
        and isinstance(data.get("subject"), dict)
        and isinstance(violations, list)
        and all(
            isinstance(one, dict)
            and isinstance(one.get("rule"), str)
            and isinstance(one.get("mode"), str)
            for one in violations
        )
    )
