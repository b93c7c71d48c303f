# SPDX-License-Identifier: Apache-2.0
"""Decision events in the lines of a log, and when they were written."""

import json

import pytest

from nova_vhard.common import decisions
from nova_vhard.common.decisions import DECISIONS, WATCH, Event, PolicyUnusable

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


@pytest.mark.parametrize(
    ("level", "answer"), [("ERROR", PolicyUnusable()), ("WARNING", None)]
)
def test_a_policy_that_is_unusable(level, answer):
    record = {"name": WATCH, "message": "text", "levelname": level}
    assert read(record) == answer
    line = f"{WRITTEN} 1 {level} {WATCH} [-] text"
    assert decisions.read(line.encode()) == answer


@pytest.mark.parametrize("name", ["nova.api", None])
def test_a_record_of_another_logger(name):
    assert read({"name": name, "message": TEXT, "levelname": "ERROR"}) is None


@pytest.mark.parametrize("count", [1, decisions._MANY])
def test_a_count_is_a_whole_number_within_bounds(count):
    kind = {"rules": ["a"], "mode": "warn", "count": count}
    data = {"violations": [], "more": [kind]}
    assert list(decisions.violations(data)) == [("a", "warn", count)]


@pytest.mark.parametrize("count", [0, -1, True, "1", 1.0, decisions._MANY + 1])
def test_what_is_no_count(count):
    kind = {"rules": ["a"], "mode": "warn", "count": count}
    data = {"violations": [], "more": [kind]}
    with pytest.raises(TypeError, match=r"^a count expected$"):
        list(decisions.violations(data))


@pytest.mark.parametrize(
    ("violation", "why"),
    [
        ({"rules": "a"}, "^a list of rules expected$"),
        ({"rule": ["a"]}, "^text expected, not list$"),
        ({"rules": [7], "mode": "warn"}, "^text expected, not int$"),
    ],
)
def test_what_is_no_violation(violation, why):
    with pytest.raises(TypeError, match=why):
        list(decisions.violations({"violations": [violation]}))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "^no JSON: Expecting property name"),
        (b'{"message": "[]", "name": "nova_vhard.decisions"}', "object$"),
    ],
)
def test_why_a_line_is_no_event(line, why):
    with pytest.raises(decisions.Unreadable, match=why):
        decisions.read(line)
