# SPDX-License-Identifier: Apache-2.0
"""Faults of our own, and logs that cannot be written."""

import contextlib
import logging
import resource
from collections.abc import Iterator
from typing import Any, NoReturn

DECISIONS = "nova_vhard.decisions"
OURS = "nova_vhard"

#: Kinds that a gate gives a meaning to elsewhere: OSError and RecursionError
#: in a client's body, the next three at Nova's own router.
KINDS = (
    RuntimeError,
    OSError,
    RecursionError,
    AttributeError,
    TypeError,
    KeyError,
    ValueError,
)

SECRET = "rivet-42"


def failing(error: type[Exception]) -> Any:
    """Return a function that raises an error, with a text to be found."""

    def fail(*_arguments: Any, **_more: Any) -> NoReturn:
        raise error(SECRET)

    return fail


class _Errors(logging.Handler):
    """Keeps records of errors."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class _Raising(logging.Handler):
    """A handler that does not keep its own failure to itself."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError(SECRET)


@contextlib.contextmanager
def _handled(name: str, handler: logging.Handler) -> Iterator[None]:
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@contextlib.contextmanager
def errors() -> Iterator[list[logging.LogRecord]]:
    """Give the list of errors that our code logs from now on."""
    handler = _Errors()
    with _handled(OURS, handler):
        yield handler.records


@contextlib.contextmanager
def no_files() -> Iterator[None]:
    """Let the process open no further file (EMFILE)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def broken_log(name: str) -> Iterator[None]:
    """Let every record of a logger, and of those below it, raise OSError."""
    with _handled(name, _Raising()):
        yield


def check_logged(result: list[logging.LogRecord], kind: type) -> None:
    """Check that there is one error, with the traceback of an exception."""
    assert len(result) == 1, [record.getMessage() for record in result]
    (record,) = result
    assert record.levelname == "ERROR"
    assert record.exc_info
    logged, error, trace = record.exc_info
    assert logged is not None
    assert logged.__name__ == kind.__name__
    assert SECRET in str(error)
    assert trace is not None
