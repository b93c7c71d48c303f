# SPDX-License-Identifier: Apache-2.0
"""Checks that output has no unsafe characters, lines or log records."""

import contextlib
import logging
import unicodedata
from collections.abc import Iterable, Iterator

from oslo_config import cfg
from oslo_log import formatters
from oslo_log import log as oslo_log

from nova_vhard.common import decisions
from tests import logged

#: Bytes of a record, with everything that a formatter adds to it.
RECORD_LIMIT = 64 * 1024

_UNSAFE = frozenset(("Cc", "Cf", "Cn", "Cs", "Co", "Zl", "Zp"))


def unclean(text: str, lines: bool = False) -> str | None:
    """Return what is wrong with a text; None for a clean one.

    :param lines: whether it may have several lines
    """
    if lines:
        text = text.replace("\n", "")
    for char in text:
        if unicodedata.category(char) in _UNSAFE:
            return f"{char!r} ({unicodedata.category(char)})"
    return None


def formatter() -> logging.Formatter:
    """Return oslo.log's formatter, as a service has it."""
    conf = cfg.ConfigOpts()
    oslo_log.register_options(conf)
    conf([], project="nova", default_config_files=[])
    return formatters.ContextFormatter(config=conf)


class Records(logging.FileHandler):
    """A service's log file, and what is wrong with what is written to it.

    :ivar written: number of records
    :ivar longest: bytes of the longest
    :ivar faults: what is wrong, with the record
    """

    def __init__(self, path: str) -> None:
        """Open a new file in UTF-8."""
        super().__init__(path, "w", encoding="utf-8")
        self.setFormatter(formatter())
        self.written = 0
        self.longest = 0
        self.faults: list[str] = []
        self._end = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record and check the bytes written to the file."""
        super().emit(record)
        with open(self.baseFilename, "rb") as file:
            file.seek(self._end)
            data = file.read()
        self._end += len(data)
        self.written += 1
        self.longest = max(self.longest, len(data))
        self.faults += (
            f"{each}: {record.msg!r}" for each in _faults(data, record)
        )

    def handleError(self, record: logging.LogRecord) -> None:
        """Note a record that cannot be written."""
        self.faults.append(f"not written: {record.msg!r}")


def _faults(data: bytes, record: logging.LogRecord) -> Iterator[str]:
    if len(data) > RECORD_LIMIT:
        yield f"{len(data)} bytes"
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        yield str(error)
        return
    if not text.endswith("\n"):
        yield "not written"
    read = [_read(line) for line in data.splitlines()]
    # A reader of logs has to find an event there, and in no other record.
    wanted = (record.name, record.levelname) == (decisions.DECISIONS, "INFO")
    if [each for each in read if each] != [decisions.Event] * wanted:
        yield f"reads as {read}"
    # A traceback has lines, and each of them is oslo.log's.
    several = record.exc_info is not None
    fault = unclean(text.removesuffix("\n"), lines=several)
    if fault:
        yield fault


def _read(line: bytes) -> type | None:
    """Return the type that our log reader returns or raises for a line."""
    try:
        event = decisions.read(line)
    except decisions.Unreadable as error:
        return type(error)
    return None if event is None else type(event)


@contextlib.contextmanager
def records(path: str) -> Iterator[Records]:
    """Write every record of every logger of ours to a new file."""
    with (
        contextlib.closing(Records(path)) as handler,
        logged.handled("nova_vhard", handler),
    ):
        yield handler


def cells(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Yield what is unclean in the cells of a table."""
    for row in rows:
        for cell in row:
            human = getattr(cell, "human_readable", None)
            fault = unclean(str(human() if human else cell), human is not None)
            if fault:
                yield f"{fault}: {cell!r}"
