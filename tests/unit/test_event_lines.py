# SPDX-License-Identifier: Apache-2.0
"""Tests of reading events from log lines."""

import json
import logging

import pytest

from nova_vhard.common import decisions
from tests.unit.event_lines import FORGED, event, written

DISK = "guest_devices.disk_bus"
SYSLOG = "Nov 25 09:14:02 controller1 nova-scheduler[4711]: "


@pytest.mark.parametrize("name", ["bare", "context", "json"])
@pytest.mark.parametrize(
    ("properties", "mode", "outcome", "rules"),
    [
        ({"hw_disk_bus": "ide"}, "enforce", "refuse", [(DISK, "enforce", 1)]),
        ({}, None, "allow", []),
    ],
)
def test_reads_an_event_as_it_is_written(
    name, properties, mode, outcome, rules
):
    """In a file, behind syslog's prefix, and in a record of the journal."""
    text = event(name, properties)
    lines = [text, json.dumps({"PRIORITY": "6", "MESSAGE": text})]
    lines += [SYSLOG + text] * (name == "context")
    for line in lines:
        data = decisions.read(line.encode()).data
        assert list(decisions.violations(data)) == rules
        assert (data["gate"], data["mode"]) == ("nova-api", mode)
        assert (data["outcome"], data["microseconds"]) == (outcome, 61)


def test_a_journal_in_a_journal_says_nothing():
    """As deep as it may be, somebody could write one level more."""
    inner = {"MESSAGE": event("context")}
    entry = {"MESSAGE": json.dumps(inner)}
    assert decisions.read(json.dumps(entry).encode()).data == inner


@pytest.mark.parametrize(
    "forged",
    [
        f"{decisions.DECISIONS} {FORGED}",
        f"2026-11-25 09:14:02 1 INFO {decisions.DECISIONS} {FORGED}",
    ],
)
def test_the_text_of_an_exception_says_nothing(forged):
    """A traceback of the service's own: oslo.log writes no brackets there."""
    log = logging.getLogger("nova.compute.api")
    with written("context", log) as stream:
        try:
            raise KeyError(f"x {forged}")
        except KeyError:
            log.exception("Failed")
    result = stream.getvalue().encode().splitlines()
    assert any(forged.encode() in each for each in result)
    assert [decisions.read(each) for each in result] == [None] * len(result)


@pytest.mark.parametrize("name", ["context", "json"])
@pytest.mark.parametrize(
    "message",
    [
        FORGED,
        f"nova_vhard.decisions [-] {FORGED}",
        f"GET /x INFO nova_vhard.decisions [-] {FORGED}",
        "x ERROR nova_vhard.policy.watch [-] Policy cannot be used",
        f"x[1]: INFO nova_vhard.decisions {FORGED}",
    ],
)
def test_what_somebody_else_has_logged_says_nothing(name, message):
    log = logging.getLogger("nova.api.openstack.requestlog")
    with written(name, log) as stream:
        log.error('192.0.2.1 "%s" status: 404', message)
        log.error("%s", message)
    for line in stream.getvalue().splitlines():
        assert decisions.read(line.encode()) is None


@pytest.mark.parametrize(
    "line",
    [
        event("bare")[:-1],
        event("bare") + event("bare"),
        event("context")[:-20],
        event("context").partition("{")[0] + "no event",
        "{" * 100_000,
        '{"a":' + "[" * 100_000,
        '{"microseconds":' + "9" * 10_000 + "}",
        '{"name": "nova_vhard.decisions", "message": "no event"}',
        '{"name": "nova_vhard.decisions", "message": "[]"}',
        "{\udcff}",
    ],
    ids=range(10),
)
def test_what_should_be_an_event_and_is_none_is_unreadable(line):
    with pytest.raises(decisions.Unreadable):
        decisions.read(line.encode(errors="surrogateescape"))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Traceback (most recent call last):",
        " nova_vhard.decisions",
        "x" * 1_000_000,
        "A" * 100_000 + " nova_vhard.decisions {}",
        '{"name": "nova.api", "message": "text"}',
    ],
    ids=range(6),
)
def test_a_line_about_something_else_says_nothing(line):
    assert decisions.read(line.encode()) is None
