# SPDX-License-Identifier: Apache-2.0
"""Decision events, read back from log files, plain or compressed.

``nova_vhard.common.decisions`` defines the events.
"""

import contextlib
import gzip
import io
import math
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from nova_vhard.common import decisions
from nova_vhard.common.decisions import Event

#: Bytes; a longer line is not an event, and is not kept in memory.
LONGEST = 1 << 20

STDIN = "-"

_GZIP = b"\x1f\x8b"
# A line of JSON with one of these is an event, or was one before damage.
_MARKS = (b'{"request":', b'{\\"request\\":')


@dataclass
class Read:
    """Counts of what was read so far.

    :ivar events: number of events
    :ivar other: number of lines about something else
    :ivar unreadable: number of lines that should be events but are invalid
    :ivar damaged: files that end in the middle, with the error
    :ivar cut: files of which only the end was read
    """

    events: int = 0
    other: int = 0
    unreadable: int = 0
    damaged: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)


def events(path: str, read: Read) -> Iterator[Event]:
    """Yield the events of a file, line by line, in little memory.

    :param path: of a text or gzip file; ``-`` is standard input
    :param read: counts go here
    :raises OSError: if the file cannot be opened or read
    """
    with contextlib.ExitStack() as stack:
        stream: Any = sys.stdin.buffer
        if path != STDIN:
            stream = stack.enter_context(open(path, "rb"))
        if stream.peek(len(_GZIP))[: len(_GZIP)] == _GZIP:
            stream = stack.enter_context(gzip.GzipFile(fileobj=stream))
        try:
            yield from _stated(_lines(stream), read)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            read.damaged.append(f"{path}: {error}")


def recent(path: str, read: Read, most: int) -> Iterator[Event]:
    """Yield the events at the end of a file that is being written.

    :param path: of a text file; a compressed one is counted as damaged
    :param read: counts go here
    :param most: bytes that are read at most
    :raises OSError: if the file cannot be opened or read
    """
    with open(path, "rb") as stream:
        if stream.peek(len(_GZIP))[: len(_GZIP)] == _GZIP:
            read.damaged.append(
                f"{path}: is compressed; specify the uncompressed log"
            )
            return
        end = stream.seek(0, io.SEEK_END)
        if end > most:
            read.cut.append(path)
            # The byte before: a line that begins there is whole.
            stream.seek(end - most - 1)
            _skip(stream)
        else:
            stream.seek(0)
        yield from _stated(_lines(stream, end), read)


def _stated(lines: Iterable[bytes], read: Read) -> Iterator[Event]:
    """Yield the events of lines, and count the lines."""
    for line in lines:
        event = _event(line, read)
        if event is not None:
            yield event


def _lines(
    stream: io.BufferedIOBase, end: float = math.inf
) -> Iterator[bytes]:
    """Yield lines; of one that is too long the first part only.

    :param end: the place in the file from which on no line begins
    """
    while end == math.inf or stream.tell() < end:
        line = stream.readline(LONGEST)
        if not line:
            return
        if not line.endswith(b"\n"):
            _skip(stream)
        yield line


def _skip(stream: io.BufferedIOBase) -> None:
    """Go on to the next line."""
    while (part := stream.readline(LONGEST)) and not part.endswith(b"\n"):
        pass


def _event(line: bytes, read: Read) -> Event | None:
    """Read a line, and count it."""
    try:
        stated = decisions.read(line)
    except decisions.Unreadable:
        stated, meant = None, _meant(line)
    else:
        meant = stated is not None and _meant(line)
    # It is an event only if the counted fields exist with the right types.
    if (
        stated is not None
        and isinstance(stated.data.get("gate"), str)
        and isinstance(stated.data.get("outcome"), str)
        and isinstance(stated.data.get("operation"), str)
        and isinstance(stated.data.get("subject"), dict)
        and _has_violations(stated.data)
    ):
        read.events += 1
        return stated
    if meant:
        read.unreadable += 1
    elif line.strip():
        read.other += 1
    return None


def _meant(line: bytes) -> bool:
    """Return whether a line is meant as an event; JSON needs a mark."""
    return not line.startswith(b"{") or any(mark in line for mark in _MARKS)


def _has_violations(data: dict[str, Any]) -> bool:
    try:
        list(decisions.violations(data))
    except (KeyError, TypeError):
        return False
    return True
