# SPDX-License-Identifier: Apache-2.0
"""Complete log output of a test."""

import json
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
