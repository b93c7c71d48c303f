# SPDX-License-Identifier: Apache-2.0
"""What a schema has against a policy, sentence by sentence; and how many."""

import itertools

import pytest
from jsonschema import Draft202012Validator

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
from nova_vhard.common.problems import (
    Hints,
    PolicyError,
    Problem,
    Problems,
    more_text,
    nearest,
    unexpected,
)
from nova_vhard.common.schema_errors import describe, schema_faults
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
    return [(each.path, each.message) for each in caught.value.problems]


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
        ({"enum": ["a", "b"]}, "one of a, b"),
        ({"enum": ["a", "b", 3]}, "one of a, b, 3"),
        (list_or_any(NAME), 'a list or "*"'),
        (titled(named(1), "a rule"), "a rule"),
    ],
)
def test_what_a_schema_wants(schema, text):
    assert describe(schema) == text


NO_LIST = 'must be a list or "*"'
ANY_NAMES = (list_or_any, NAME)
MAPPING = (mapping, TEXT)
RULE = (keys, "a")


@pytest.mark.parametrize(
    ("part", "value", "expected"),
    [
        ((array, TEXT), [], []),
        ((array, TEXT), ["a", ""], [((1,), "'' is empty")]),
        ((array, TEXT), "a", [((), "'a' must be a list")]),
        ((array, TEXT, 1), [], [((), "'[]' is empty")]),
        ((array, TEXT, 1), ["a"], []),
        (MAPPING, {}, []),
        (MAPPING, {"a": "b"}, []),
        (MAPPING, {"a": ""}, [(("a",), "'' is empty")]),
        (MAPPING, {"x" * NAME_LIMIT: "b"}, []),
        (
            MAPPING,
            {LONG: "b"},
            [((), f"'{CUT}' is longer than 255 characters")],
        ),
        (MAPPING, "a", [((), "'a' must be a mapping")]),
        (MAPPING, ["a"], [((), "must be a mapping, not a list")]),
        (ANY_NAMES, "*", []),
        (ANY_NAMES, [], []),
        (ANY_NAMES, ["a"], []),
        (ANY_NAMES, ["a", ""], [((1,), "'' is empty")]),
        (ANY_NAMES, "a", [((), f"'a' {NO_LIST}")]),
        (ANY_NAMES, "a*", [((), f"'a*' {NO_LIST}")]),
        (ANY_NAMES, "**", [((), f"'**' {NO_LIST}")]),
        (ANY_NAMES, "*\n", [((), f"'*' {NO_LIST}")]),
        (ANY_NAMES, {}, [((), f"{NO_LIST}, not a mapping")]),
        (ANY_NAMES, True, [((), f"'true' {NO_LIST}")]),
        ((titled, BOOL, "a switch"), False, []),
        ((titled, BOOL, "a switch"), "A", [((), "'A' must be a switch")]),
        (RULE, {}, [((), "lacks a")]),
        (RULE, {"a": "x"}, []),
        (RULE, {"a": ""}, [(("a",), "'' is empty")]),
        (
            RULE,
            {"a": "x", "aa": ""},
            [(("aa",), "is not a known key (did you mean 'a'?)")],
        ),
        (
            RULE,
            {"a": "x", "zzz": ""},
            [(("zzz",), "is not a known key (known: a, b)")],
        ),
        (RULE, "x", [((), "'x' must be a mapping with a, b")]),
    ],
    ids=itertools.count(),
)
def test_what_each_part_of_a_schema_refuses(part, value, expected):
    function, *arguments = part
    more = {"a": TEXT, "b": TEXT} if function is keys else {}
    validator = Draft202012Validator(function(*arguments, **more))
    assert list(schema_faults(value, validator)) == expected


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"required": ["a", "b", "c"]}, {"b": 1}, "lacks a, c"),
        (
            {"pattern": "^[0-9]+$", "description": "no number"},
            "ten",
            "'ten' is no number",
        ),
        (
            {"pattern": "^[0-9]+$", "title": "a number"},
            "ten",
            "'ten' must be a number",
        ),
        ({"maxItems": 1}, [1, 2], "has more than 1 entries"),
        ({"maxProperties": 1}, {"a": 1, "b": 2}, "has more than 1 entries"),
        ({"minProperties": 1}, {}, "'{}' is empty"),
        # what no sentence of ours is for
        ({"minimum": 3}, 2, "2 is less than the minimum of 3"),
        ({"const": "x" * 300}, 1, f"'{'x' * 198}…"),
    ],
)
def test_what_is_said_of_a_keyword(schema, value, message):
    validator = Draft202012Validator(schema)
    assert set(schema_faults(value, validator)) == {((), message)}


@pytest.mark.parametrize(
    ("value", "text", "hint"),
    [
        ("Warn", "Warn", " (did you mean 'warn'?)"),
        ("XyZ", "XyZ", ""),
        (True, "true", ""),
        (False, "false", ""),
    ],
    ids=["near", "odd", "true", "false"],
)
def test_a_value_is_named_as_it_is_written(value, text, hint):
    message = f"'{text}' is none of enforce, warn, audit{hint}"
    assert faults(mode=value) == [("mode", message)]


def test_so_is_one_that_is_of_another_type():
    assert faults(enabled="Maybe") == [
        ("enabled", "'Maybe' must be true or false")
    ]


def test_only_so_many_near_names_are_looked_for():
    hints = Hints(2)
    near = " (did you mean 'virtio'?)"
    result = [hints.nearest("virtoi", ["virtio"]) for _ in range(5)]
    assert result == [near, near, "", "", ""]
    assert nearest("virtoi", ["virtio"]) == near


@pytest.mark.parametrize(
    ("word", "known", "near"),
    [
        ("virtoi", ["virtio-scsi", "virtio", "virt"], "virtio"),
        (321, ["32"], "32"),
        (None, ["virtio"], None),
        # a long word costs too much
        ("a" * 64, ["a" * 63], "a" * 63),
        ("a" * 65, ["a" * 63], None),
    ],
)
def test_the_nearest_name(word, known, near):
    expected = f" (did you mean '{near}'?)" if near else ""
    assert nearest(word, known) == expected


def test_how_many_are_not_named():
    assert more_text(9899) == "and 9899 more"
    # so many are left out where nobody has looked for more
    assert more_text(9900) == "and at least 9900 more"


def test_a_list_that_may_be_empty_has_no_least_length():
    assert array(TEXT) == {"type": "array", "items": TEXT}


def test_so_many_near_names_are_for_the_faults_that_are_kept():
    hints = Hints()
    result = [hints.nearest("virtoi", ["virtio"]) for _ in range(102)]
    assert [bool(near) for near in result] == [True] * 100 + [False] * 2


DEEP = ("a" * 70, 3, *["b" * 60] * 5)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), ""),
        (("a", 0, "b\nc"), "a[0].bc"),
        ((7, "a"), "[7].a"),
        # a key is cut, and so is what they come to
        (("a" * 70,), "a" * 63 + "…"),
        (DEEP, ("a" * 63 + "…[3]" + f".{'b' * 60}" * 5)[:255] + "…"),
    ],
    ids=["none", "plain", "number", "key", "deep"],
)
def test_a_place_is_bounded(path, place):
    faulty = Problems()
    faulty.add("p.yaml", 2, path, "is wrong")
    assert faulty.kept == [Problem("p.yaml", 2, place, "is wrong")]


def test_a_message_is_bounded():
    faulty = Problems()
    faulty.add("p.yaml", 2, (), "x" * 512)
    faulty.add("p.yaml", 3, (), "x" * 513)
    first, second = (problem.message for problem in faulty.kept)
    assert first == "x" * 512
    assert second == "x" * 511 + "…"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("odd\nthing", ": oddthing"),
        ("x" * 256, ": " + "x" * 256),
        ("x" * 257, ": " + "x" * 255 + "…"),
    ],
    ids=["none", "lines", "long", "longer"],
)
def test_a_fault_of_ours_is_bounded(text, expected):
    message = "cannot be read, by a fault of nova-vhard: OSError"
    error = unexpected("p.yaml", OSError(text))
    (problem,) = error.problems
    assert problem == Problem("p.yaml", 1, "", message + expected)
    assert str(error) == f"p.yaml:1: {message}{expected}"


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
