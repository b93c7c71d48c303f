# SPDX-License-Identifier: Apache-2.0
"""Tests of the payloads that are counted, and of those that are not."""

import dataclasses

import pytest

from nova_vhard.exporter import payloads
from tests.unit.exporter.sent import payload

IDE = {"hw_disk_bus": "ide"}
KIND = {"rules": ["x"], "mode": "x"}


LATER = {"version": "1.17", "host": {"of": "later"}}
REFUSED = payloads.Decision(
    "nova-api",
    "enforce",
    "refuse",
    (("guest_devices.disk_bus", "enforce", 1),),
    61e-6,
)
#: Function, payload, and the result.
READABLE = [
    (payloads.decision, payload(IDE), REFUSED),
    (
        payloads.decision,
        payload(),
        payloads.Decision("nova-api", None, "allow", (), 61e-6),
    ),
    # A later version may have more fields.
    (payloads.decision, payload(IDE) | LATER, REFUSED),
    (payloads.dropped, payload(IDE) | LATER, 0),
    (payloads.dropped, payload(dropped=10**9), 10**9),
    *(
        (
            payloads.decision,
            payload(IDE) | {"microseconds": time},
            dataclasses.replace(REFUSED, seconds=time / 1e6),
        )
        for time in (0, 86_400_000_000)
    ),
]
VERSIONS = ["2.0", "1", "1.", "1.x", "1.00000", "1.0\n", "", 1, 1.0, None]
#: Changed fields of a decision, and the error message.
CHANGES = [
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
]
UNREADABLE = [
    *((payloads.dropped, data, None) for data in (None, [], "text", 7, {})),
    *(
        (payloads.dropped, payload() | {"version": version}, "version")
        for version in VERSIONS
    ),
    *(
        (payloads.dropped, payload() | {"dropped": count}, "a count expected")
        for count in (-1, 10**9 + 1, True, 1.0, "1", None)
    ),
    *(
        (payloads.decision, payload(IDE) | change, why)
        for change, why in CHANGES
    ),
    *(
        (
            payloads.decision,
            {key: data for key, data in payload(IDE).items() if key != name},
            name,
        )
        for name in ("gate", "mode", "outcome", "violations")
    ),
]


@pytest.mark.parametrize(("read", "data", "expected"), READABLE)
def test_what_is_read(read, data, expected):
    assert read(data) == expected


@pytest.mark.parametrize(("read", "data", "why"), UNREADABLE)
def test_what_is_unreadable(read, data, why):
    with pytest.raises(payloads.Unreadable, match=why):
        read(data)
