# SPDX-License-Identifier: Apache-2.0
"""What a schema has against a policy, sentence by sentence; and how many."""

import pytest

from nova_vhard.common import problems
from nova_vhard.common.json_schema import (
    BOOL,
    NAME,
    NAME_LIMIT,
    TEXT,
    array,
    keys,
    list_or_any,
    mapping,
    titled,
)
from nova_vhard.common.problems import PolicyError, Problems
from nova_vhard.common.schema_errors import describe
from tests.unit.helpers import policy

LONG = "x" * (NAME_LIMIT + 1)
CUT = "x" * 63 + "…"
DISK = "guest_devices.disk_bus.replace"
EXEMPTION = {
    "id": "a",
    "reason": "r",
    "until": "2030-01-01",
    "projects": ["p"],
}


def faults(**content):
    """Return places and messages of what is wrong with a policy."""
    with pytest.raises(PolicyError) as caught:
        policy(**content)
    return [(one.path, one.message) for one in caught.value.problems]


def replaced(**pairs):
    rule = {"allow": ["virtio"], "replace": pairs}
    return {"guest_devices": {"disk_bus": rule}}


def exempted(rules):
    return {"exemptions": [{**EXEMPTION, "rules": rules}]}


@pytest.mark.parametrize(
    ("content", "path", "message"),
    [
        (replaced(ide=["a"]), f"{DISK}.ide", "must be text, not a list"),
        (replaced(ide=True), f"{DISK}.ide", "'true' must be text"),
        (replaced(ide=None), f"{DISK}.ide", "is empty and must be text"),
        (replaced(ide=""), f"{DISK}.ide", "'' is empty"),
        (
            replaced(ide=LONG),
            f"{DISK}.ide",
            f"'{CUT}' is longer than 255 characters",
        ),
        (
            replaced(**{LONG: "virtio"}),
            DISK,
            f"'{CUT}' is longer than 255 characters",
        ),
        (
            replaced(**{f"a{number}": "virtio" for number in range(257)}),
            DISK,
            "has more than 256 entries",
        ),
        (
            {"assume": {"machine_type": {"x86_64": ["q35"]}}},
            "assume.machine_type.x86_64",
            "must be text, not a list",
        ),
        (
            exempted({"guest_devices.disk_bus": "ide"}),
            "exemptions[0].rules.guest_devices.disk_bus",
            "'ide' must be a list or \"*\"",
        ),
        (
            exempted({"guest_devices.disk_bus": {"ide": "yes"}}),
            "exemptions[0].rules.guest_devices.disk_bus",
            'must be a list or "*", not a mapping',
        ),
        (exempted({}), "exemptions[0].rules", "'{}' is empty"),
    ],
)
def test_a_mapping_of_any_keys(content, path, message):
    assert faults(**content) == [(path, message)]


def named(count):
    return keys(**{f"k{number}": TEXT for number in range(count)})


TEN = "a mapping with k0, k1, k2, k3, k4, k5, k6, k7, k8, k9"


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (named(1), "a mapping with k0"),
        (named(10), TEN),
        (named(11), f"{TEN}, …"),
        (named(12), f"{TEN}, …"),
        (named(0), "a mapping"),
        (mapping(NAME), "a mapping"),
        (array(TEXT), "a list"),
        (TEXT, "text"),
        (BOOL, "true or false"),
        ({"type": "integer"}, "a whole number"),
        ({"type": ["string", "boolean"]}, "text or true or false"),
        ({"type": ["number", "null"]}, "a number or nothing"),
        ({"type": "odd"}, "odd"),
        ({}, "text"),
        ({"enum": ["1"]}, "1"),
        ({"enum": ["a", "b", 3]}, "one of a, b, 3"),
        (list_or_any(NAME), 'a list or "*"'),
        (titled(named(1), "a rule"), "a rule"),
    ],
)
def test_what_a_schema_wants(schema, text):
    assert describe(schema) == text


def collected(count):
    """Return the exception of a number of faults."""
    faulty = Problems()
    for number in range(count):
        faulty.add("p.yaml", number + 1, ("mode",), f"is wrong {number}")
    return faulty.error()


@pytest.mark.parametrize(
    ("count", "more", "tail"),
    [
        (1, 0, "is wrong 0"),
        (20, 0, "is wrong 19"),
        (21, 0, "is wrong 19; and 1 more"),
        (100, 0, "is wrong 19; and 80 more"),
        (101, 1, "is wrong 19; and 81 more"),
        (150, 50, "is wrong 19; and 130 more"),
        (10_000, 9900, "is wrong 19; and at least 9980 more"),
    ],
)
def test_of_many_faults_the_first_are_named(count, more, tail):
    error = collected(count)
    assert error.more == more
    assert len(error.problems) == min(count, problems.KEPT)
    assert str(error).startswith("p.yaml:1: mode: is wrong 0")
    assert str(error).endswith(tail)


def test_when_nobody_looks_for_more():
    assert not Problems().full
    faulty = Problems()
    for number in range(problems.COUNTED):
        assert not faulty.full
        faulty.add("p.yaml", number, (), "is wrong")
    assert faulty.full
    assert len(faulty.kept) == problems.KEPT
