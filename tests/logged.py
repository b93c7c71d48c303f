# SPDX-License-Identifier: Apache-2.0
"""Complete log output of a test."""

import contextlib
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

DECISIONS = "nova_vhard.decisions"


def lines(
    caplog: pytest.LogCaptureFixture, logger: str
) -> list[tuple[str, str]]:
    """Return level and message of each record of a logger."""
    return [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name == logger
    ]


def decisions(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the decision events."""
    return [json.loads(message) for _, message in lines(caplog, DECISIONS)]


@contextlib.contextmanager
def handled(name: str, handler: logging.Handler) -> Iterator[None]:
    """Give a handler all records of a logger, and of those below it."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
