# SPDX-License-Identifier: Apache-2.0
"""Tests of the payloads that are counted, and of those that are not."""

import pytest

from nova_vhard.exporter import payloads
from tests.unit.exporter.sent import payload

IDE = {"hw_disk_bus": "ide"}
KIND = {"rules": ["x"], "mode": "x"}


def test_reads_a_decision_as_it_is_sent():
    assert payloads.decision(payload(IDE)) == payloads.Decision(
        "nova-api",
        "enforce",
        "refuse",
        (("guest_devices.disk_bus", "enforce", 1),),
        61e-6,
    )


def test_reads_a_decision_without_a_violation():
    expected = payloads.Decision("nova-api", None, "allow", (), 61e-6)
    assert payloads.decision(payload()) == expected


def test_a_later_version_may_have_more():
    data = payload(IDE) | {"version": "1.17", "host": {"of": "later"}}
    assert payloads.dropped(data) == 0
    assert payloads.decision(data).outcome == "refuse"


@pytest.mark.parametrize(
    "version", ["2.0", "1", "1.", "1.x", "1.00000", "1.0\n", "", 1, 1.0, None]
)
def test_another_version_is_unreadable(version):
    with pytest.raises(payloads.Unreadable, match="version"):
        payloads.dropped(payload() | {"version": version})


@pytest.mark.parametrize("data", [None, [], "text", 7, {}])
def test_what_is_no_payload_is_unreadable(data):
    with pytest.raises(payloads.Unreadable):
        payloads.dropped(data)


@pytest.mark.parametrize("count", [-1, 10**9 + 1, True, 1.0, "1", None])
def test_a_count_of_another_type_is_unreadable(count):
    with pytest.raises(payloads.Unreadable, match="a count expected"):
        payloads.dropped(payload() | {"dropped": count})


@pytest.mark.parametrize("count", [0, 10**9])
def test_a_count(count):
    assert payloads.dropped(payload(dropped=count)) == count


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"gate": None}, "text expected"),
        ({"mode": 1}, "text expected"),
        ({"outcome": ["refuse"]}, "text expected"),
        ({"violations": None}, "TypeError"),
        ({"violations": ["x"]}, "TypeError"),
        ({"violations": [{"rule": "x"}]}, "mode"),
        ({"violations": [{"rule": {}, "mode": "x"}]}, "text expected"),
        ({"more": 1}, "TypeError"),
        ({"more": [{**KIND, "count": -1}]}, "a count"),
        ({"more": [{**KIND, "count": True}]}, "a count"),
        ({"violations": [{"rules": "x", "mode": "x"}]}, "list of rules"),
        ({"violations": [{"rules": [1], "mode": "x"}]}, "text expected"),
        ({"violations": [KIND] * 1001}, "more than 1000 violations"),
        ({"more": [{**KIND, "count": 1}] * 1001}, "more than 1000 violations"),
        ({"violations": [{**KIND, "rules": ["x"] * 1001}]}, "1000 rules"),
        ({"microseconds": "61"}, "TypeError"),
        ({"microseconds": True}, "number"),
        ({"microseconds": -1}, "not a plausible"),
        ({"microseconds": float("nan")}, "not a plausible"),
        ({"microseconds": float("inf")}, "not a plausible"),
        ({"microseconds": 1.7e308}, "not a plausible"),
        ({"microseconds": 86_400_000_001}, "not a plausible"),
        ({"microseconds": 10**400}, "OverflowError"),
    ],
)
def test_a_decision_of_other_types_is_unreadable(change, why):
    with pytest.raises(payloads.Unreadable, match=why):
        payloads.decision(payload(IDE) | change)


@pytest.mark.parametrize("microseconds", [0, 61, 86_400_000_000])
def test_a_time(microseconds):
    data = payload(IDE) | {"microseconds": microseconds}
    assert payloads.decision(data).seconds == microseconds / 1e6


@pytest.mark.parametrize("name", ["gate", "mode", "outcome", "violations"])
def test_a_decision_without_a_part_is_unreadable(name):
    data = payload(IDE)
    del data[name]
    with pytest.raises(payloads.Unreadable, match=name):
        payloads.decision(data)
