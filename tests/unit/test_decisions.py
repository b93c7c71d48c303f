# SPDX-License-Identifier: Apache-2.0
"""Decision events in the lines of a log, and when they were written."""

import json

import pytest

from nova_vhard.common import decisions
from nova_vhard.common.decisions import DECISIONS, Event

DATA = {"outcome": "allow"}
TEXT = json.dumps(DATA)
WRITTEN = "2026-11-25 09:14:02"
PREFIX = f"{WRITTEN}.123 1 INFO {DECISIONS} [-]"
HOST = "Nov 25 09:14:02 controller1 nova-api[4711]:"
STAMPS = pytest.mark.parametrize(
    ("stamp", "time"),
    [
        ({}, None),
        ({"time": f"{WRITTEN},123"}, WRITTEN),
        ({"timestamp": "2026-11-25T09:14:02Z"}, WRITTEN),
        ({"asctime": WRITTEN}, WRITTEN),
        ({"time": 61e-6, "asctime": WRITTEN}, WRITTEN),
        ({"created": WRITTEN}, None),
    ],
    ids=["none", "time", "timestamp", "asctime", "number", "other"],
)


def read(data):
    return decisions.read(json.dumps(data).encode())


@STAMPS
def test_an_event_is_a_line_or_the_message_of_a_record(stamp, time):
    data = {**DATA, **stamp}
    assert read(data) == Event(data, time)
    record = {"name": DECISIONS, "message": TEXT, **stamp}
    assert read(record) == Event(DATA, time)
    assert read({"MESSAGE": json.dumps(record)}) == Event(DATA, time)


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (f"{PREFIX} {TEXT}", Event(DATA, WRITTEN)),
        (f"1 INFO {DECISIONS} [-] {TEXT}", Event(DATA)),
        # half characters are replaced
        (
            f'1 INFO {DECISIONS} {{"outcome": "\ud800"}}',
            Event({"outcome": "?"}),
        ),
        # the name of the logger may be in the event again
        (
            f'1 INFO {DECISIONS} {{"outcome": "as {DECISIONS} says"}}',
            Event({"outcome": f"as {DECISIONS} says"}),
        ),
        # no event is behind the name of another logger
        (f"{HOST} ERROR nova.compute.api {DECISIONS} {TEXT}", None),
        (f"{HOST} ERROR {DECISIONS} {TEXT}", Event(DATA)),
    ],
)
def test_a_line_with_a_prefix(line, event):
    assert read({"MESSAGE": line}) == event
    if "\ud800" not in line:
        assert decisions.read(line.encode()) == event


def test_half_characters_before_an_event():
    line = f"\udcff {PREFIX} {TEXT}".encode(errors="surrogateescape")
    assert decisions.read(line) == Event(DATA, WRITTEN)


@pytest.mark.parametrize("name", ["nova.api", None])
def test_a_record_of_another_logger(name):
    assert read({"name": name, "message": TEXT, "levelname": "ERROR"}) is None


def test_what_an_event_counts():
    data = {
        "violations": [
            {"rules": ["a", "b"], "mode": "warn"},
            {"rule": "c, d", "mode": "audit"},
        ],
        "more": [
            {"rules": ["a", "e"], "mode": "warn", "count": 10**9},
            {"rules": ["a"], "mode": "warn", "count": 1},
        ],
    }
    assert list(decisions.violations(data)) == [
        ("a", "warn", 1),
        ("b", "warn", 1),
        ("c", "audit", 1),
        ("d", "audit", 1),
        ("a", "warn", 10**9),
        ("e", "warn", 10**9),
        ("a", "warn", 1),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "a count expected"),
        ({"count": 10**9 + 1}, "a count expected"),
        ({"count": True}, "a count expected"),
        ({"count": "1"}, "a count expected"),
        ({"rules": "a"}, "a list of rules expected"),
        ({"rules": [1]}, "text expected, not int"),
        ({"mode": None}, "text expected, not NoneType"),
    ],
)
def test_what_counts_nothing(change, message):
    kind = {"rules": ["a"], "mode": "warn", "count": 1, **change}
    with pytest.raises(TypeError) as caught:
        list(decisions.violations({"violations": [], "more": [kind]}))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("[]", "no JSON object"),
        ("7", "no JSON object"),
        ("x", "no JSON: Expecting value: line 1 column 1 (char 0)"),
        ("", "no JSON: Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_what_is_no_event_says_why(message, why):
    with pytest.raises(decisions.Unreadable) as caught:
        read({"name": DECISIONS, "message": message})
    assert str(caught.value) == why
