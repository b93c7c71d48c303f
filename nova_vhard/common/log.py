# SPDX-License-Identifier: Apache-2.0
"""Loggers that write every record as one clean line.

Records go to the handlers of Nova, Glance or one of our programs, which do
not check them: a line feed in a value forges a line of the service's log, and
a lone surrogate makes the handler drop the record.
"""

import logging
import sys
import threading
import time
from collections.abc import Hashable, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import Any

from nova_vhard.common.text import line

#: Bytes of a message without and with a traceback: with oslo.log's prefixes
#: a record stays below 64 KiB.
MESSAGE_LIMIT = 48 * 1024
_WITH_TRACEBACK = 24 * 1024

#: The last frames of a traceback, and how many causes, are logged.
_FRAMES = 12
_CAUSES = 3
_CAUSE_LIMIT = 1024


def get_logger(name: str) -> "CleanLogger":
    """Return the logger of a module; every module logs with one of these."""
    return CleanLogger(logging.getLogger(name))


class ThrottledLog:
    """Logs a lasting problem: its start, once per interval, and its end.

    Otherwise, a peer that is down for a day would fill the log of a daemon
    that polls it every ten seconds. Each problem has a key, such as the peer;
    problems with different keys are independent. Thread-safe.

    :param level: of the lines before the end
    :param interval: seconds
    """

    def __init__(
        self,
        logger: "CleanLogger",
        level: int = logging.WARNING,
        interval: float = 3600.0,
    ) -> None:
        self._log = partial(logger.log, level)
        self._end = logger.warning
        self._interval = interval
        # By key, when it was logged.
        self._last: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    def say(
        self,
        text: str,
        *args: object,
        key: Hashable = None,
        exc_info: bool = False,
    ) -> None:
        """Log that there is trouble, unless that was logged lately."""
        now = time.monotonic()
        with self._lock:
            if now - self._last.get(key, float("-inf")) < self._interval:
                return
            # One that lasts is logged again before it is forgotten here.
            self._last = {
                other: last
                for other, last in self._last.items()
                if now - last < 2 * self._interval
            } | {key: now}
        self._log(text, *args, exc_info=exc_info)

    def over(self, text: str, *args: object, key: Hashable = None) -> None:
        """Log the end of the trouble, if there was any."""
        with self._lock:
            before = self._last.pop(key, None)
        if before is not None:
            self._end(text, *args)


class CapturedErrors(logging.Filter):
    """Takes exceptions that others log in this thread, rather than raise.

    :param loggers: names of their loggers
    """

    def __init__(self, loggers: Iterable[str]) -> None:
        """Look at the records of this thread from now on."""
        super().__init__()
        # Not its number, which another may have after a fork.
        self._thread = threading.current_thread()
        self._error: BaseException | None = None
        for name in loggers:
            logging.getLogger(name).addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is logged all the same."""
        info: Any = record.exc_info
        if not info or threading.current_thread() is not self._thread:
            return True
        self._error = info[1]
        return False

    def take(self) -> BaseException | None:
        """Return the last error since the last call; None without any."""
        error, self._error = self._error, None
        return error


class CleanLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger that cleans and cuts a record before any handler sees it."""

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log a message with its arguments, as ``Logger.log`` does."""
        if not self.isEnabledFor(level):
            return
        kwargs["exc_info"] = _cleaned(kwargs.get("exc_info"))
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
        limit = _WITH_TRACEBACK if kwargs["exc_info"] else MESSAGE_LIMIT
        text = line(_formatted(msg, args), limit)
        try:
            # While an exception is handled, oslo.log appends its text to the
            # line, but it ignores a ValueError. So handle one here.
            raise ValueError
        except ValueError:
            self.logger.log(level, text, **kwargs)


class CleanFormatter(logging.Formatter):
    """Cleans and cuts the records of others' loggers too.

    For the handlers of a program of ours: what a library logs of the bytes
    that it was sent passes no logger of this module.

    :param formatter: writes out what is clean
    """

    def __init__(self, formatter: logging.Formatter | None) -> None:
        super().__init__()
        self._formatter = formatter or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as text, all of it clean."""
        copy = logging.makeLogRecord(record.__dict__)
        copy.exc_info, copy.exc_text = _cleaned(record.exc_info), None
        limit = _WITH_TRACEBACK if copy.exc_info else MESSAGE_LIMIT
        arguments = record.args or ()
        values = arguments if isinstance(arguments, tuple) else (arguments,)
        copy.msg, copy.args = line(_formatted(record.msg, values), limit), ()
        # As every formatter does, for handlers that keep the record.
        record.message = copy.msg
        try:
            # As in CleanLogger.log: no text of an exception handled now.
            raise ValueError
        except ValueError:
            return self._formatter.format(copy)


def clean_handlers() -> None:
    """Make every handler of the root logger write only clean records."""
    for handler in logging.getLogger().handlers:
        if not isinstance(handler.formatter, CleanFormatter):
            handler.setFormatter(CleanFormatter(handler.formatter))


def _formatted(msg: object, args: tuple[Any, ...]) -> str:
    try:
        values = args[0] if args and isinstance(args[0], Mapping) else args
        return str(msg) % values if args else str(msg)
    except Exception:  # noqa: BLE001 - a value that cannot be written out
        return f"{msg!r}, {len(args)} values that cannot be written out"


def _cleaned(
    exc_info: Any,
) -> tuple[type[BaseException], BaseException, TracebackType | None] | None:
    """Return an exception to log, with texts that are clean.

    :param exc_info: what ``Logger.log`` takes: a truth value, an exception or
        a tuple
    """
    if not exc_info:
        return None
    if isinstance(exc_info, BaseException):
        error: BaseException | None = exc_info
    else:
        given = exc_info if isinstance(exc_info, tuple) else sys.exc_info()
        error = given[1]
    if error is None:
        return None
    copy = _copied(error, _CAUSES)
    return type(copy), copy, copy.__traceback__


def _copied(error: BaseException, causes: int) -> BaseException:
    """Return an exception of the same name and place with a clean text."""
    kind = type(error)
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    copy: BaseException = type(kind.__name__, (Exception,), names)(
        line(error, _CAUSE_LIMIT)
    )
    cause = error.__cause__ or (
        None if error.__suppress_context__ else error.__context__
    )
    if cause is not None and causes:
        copy.__cause__ = _copied(cause, causes - 1)
    # Keep the last frames.
    trace = error.__traceback__
    frames = []
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    short = None
    for frame in reversed(frames[-_FRAMES:]):
        short = TracebackType(
            short, frame.tb_frame, frame.tb_lasti, frame.tb_lineno
        )
    return copy.with_traceback(short)
