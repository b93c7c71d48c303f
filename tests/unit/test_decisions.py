# SPDX-License-Identifier: Apache-2.0
"""Decision events in the lines of a log, and when they were written."""

import json

import pytest

from nova_vhard.common import decisions
from nova_vhard.common.decisions import DECISIONS, Event

DATA = {"outcome": "allow"}
TEXT = json.dumps(DATA)
WRITTEN = "2026-11-25 09:14:02"
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
def test_a_line_that_is_the_event(stamp, time):
    data = {**DATA, **stamp}
    assert read(data) == Event(data, time)


@STAMPS
def test_a_record_whose_message_is_the_event(stamp, time):
    record = {"name": DECISIONS, "message": TEXT, **stamp}
    assert read(record) == Event(DATA, time)
    assert read({"MESSAGE": json.dumps(record)}) == Event(DATA, time)


@pytest.mark.parametrize(
    ("before", "time"),
    [(f"{WRITTEN}.123 1 INFO", WRITTEN), ("1 INFO", None)],
    ids=["time", "none"],
)
def test_a_line_with_a_prefix(before, time):
    line = f"{before} {DECISIONS} [-] {TEXT}"
    assert decisions.read(line.encode()) == Event(DATA, time)
    assert read({"MESSAGE": line}) == Event(DATA, time)


@pytest.mark.parametrize("name", ["nova.api", None])
def test_a_record_of_another_logger(name):
    assert read({"name": name, "message": TEXT, "levelname": "ERROR"}) is None


def test_what_an_event_counts():
    data = {
        "violations": [
            {"rules": ["a", "b"], "mode": "warn"},
            {"rule": "c, d", "mode": "audit"},
        ],
        "more": [{"rules": ["a", "e"], "mode": "warn", "count": 7}],
    }
    assert list(decisions.violations(data)) == [
        ("a", "warn", 1),
        ("b", "warn", 1),
        ("c", "audit", 1),
        ("d", "audit", 1),
        ("a", "warn", 7),
        ("e", "warn", 7),
    ]


@pytest.mark.parametrize("count", [1, 10**9])
def test_a_count(count):
    more = [{"rules": ["a"], "mode": "warn", "count": count}]
    data = {"violations": [], "more": more}
    assert list(decisions.violations(data)) == [("a", "warn", count)]


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


def test_half_characters_are_replaced():
    line = f'1 INFO {DECISIONS} [-] {{"outcome": "\ud800"}}'
    assert read({"MESSAGE": line}) == Event({"outcome": "?"})
    line = f"\udcff {WRITTEN} 1 INFO {DECISIONS} [-] {TEXT}"
    event = decisions.read(line.encode(errors="surrogateescape"))
    assert event == Event(DATA, WRITTEN)


def test_the_name_of_the_logger_may_be_in_the_event_again():
    data = {"outcome": f"as {DECISIONS} says"}
    line = f"1 INFO {DECISIONS} [-] {json.dumps(data)}"
    assert decisions.read(line.encode()) == Event(data)


def test_behind_the_name_of_another_logger_stands_no_event():
    before = "Nov 25 09:14:02 controller1 nova-api[4711]: "
    line = f"{before}ERROR nova.compute.api {DECISIONS} {TEXT}"
    assert decisions.read(line.encode()) is None
    line = f"{before}ERROR {DECISIONS} {TEXT}"
    assert decisions.read(line.encode()) == Event(DATA)


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
