# SPDX-License-Identifier: Apache-2.0
"""Faults that a schema finds: their places, and how they are kept."""

import pytest
from jsonschema import Draft202012Validator

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
from nova_vhard.common.problems import PolicyError, Problem, nearest, problem
from nova_vhard.common.schema_errors import describe, schema_faults


def named(count):
    return keys(**{f"k{number}": TEXT for number in range(count)})


TEN = "a mapping with k0, k1, k2, k3, k4, k5, k6, k7, k8, k9"


def test_what_a_schema_wants():
    # Make the schemas in the test: no mutant is active on import.
    for schema, text in (
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
    ):
        assert describe(schema) == text


LONG = "x" * (NAME_LIMIT + 1)
REQUIRED = keys("a", "c", a=TEXT, b=TEXT, c=BOOL)
NUMBER = {"type": "string", "pattern": "^[0-9]+$", "title": "a number"}


def test_places():
    any_names = list_or_any(NAME)
    for schema, value, places in (
        (array(TEXT), [], []),
        (array(TEXT), ["a", ""], [(1,)]),
        (array(TEXT), "a", [()]),
        (array(TEXT, least=1), [], [()]),
        (array(TEXT, least=1), ["a"], []),
        (mapping(TEXT), {}, []),
        (mapping(TEXT), {"a": ""}, [("a",)]),
        (mapping(TEXT), {LONG[1:]: "b"}, []),
        (mapping(TEXT), {LONG: "b"}, [(LONG,)]),
        (mapping(TEXT), {LONG: ""}, [(LONG,)]),
        (mapping(TEXT), "a", [()]),
        (mapping(TEXT), ["a"], [()]),
        (any_names, "*", []),
        (any_names, [], []),
        (any_names, ["a", ""], [(1,)]),
        *((any_names, value, [()]) for value in ("a", "a*", "**", "*\n")),
        (any_names, {}, [()]),
        (any_names, True, [()]),
        (titled(BOOL, "a switch"), "A", [()]),
        (REQUIRED, {"a": "b", "c": True}, []),
        # each missing and unknown key is a fault of its own
        (REQUIRED, {}, [("a",), ("c",)]),
        (
            REQUIRED,
            {"a": "", "x": 1, "y": 1},
            [("a",), ("c",), ("x",), ("y",)],
        ),
        (REQUIRED, "x", [()]),
        # a schema of another package, such as that of a step of the cleaner
        ({"additionalProperties": False}, {"x": 1}, [("x",)]),
        ({"required": ["a"]}, {}, [("a",)]),
        # a value that breaks two keywords is one fault
        ({**NUMBER, "maxLength": 3}, "four", [()]),
        ({**NUMBER, "enum": ["1", "2"]}, None, [()]),
    ):
        faults = list(schema_faults(value, Draft202012Validator(schema)))
        assert sorted(path for path, _ in faults) == places, (schema, value)
        assert all(message for _, message in faults)


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        ({"enum": ["warn", "audit"]}, "Warn", ["'Warn'", "audit", "'warn'"]),
        ({"enum": ["warn", "audit"]}, True, ["'true'"]),
        (BOOL, "Maybe", ["'Maybe'", "true or false"]),
        (NUMBER, "ten", ["'ten'", "a number"]),
        (REQUIRED, {"aa": "", "c": True}, ["'a'"]),
        (REQUIRED, {"zzz": "", "a": "b", "c": True}, ["a, b, c"]),
        # there is no sentence of ours for it
        ({"minimum": 3}, 2, ["less than the minimum of 3"]),
        ({"const": "x" * 300}, 1, ["x" * 190]),
    ],
)
def test_words(schema, value, words):
    validator = Draft202012Validator(schema)
    text = " ".join(text for _, text in schema_faults(value, validator))
    assert [word for word in words if word not in text] == []
    assert len(text) <= 200


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


DEEP = ("a" * 70, 3, *["b" * 60] * 5)


@pytest.mark.parametrize(
    ("path", "text", "place", "message"),
    [
        ((), "is odd", "", "is odd"),
        (("a", 0, "b\nc"), "is odd", "a[0].bc", "is odd"),
        ((7, "a"), "is odd", "[7].a", "is odd"),
        # a key is truncated, and so is the whole path
        (("a" * 70,), "is odd", "a" * 63 + "…", "is odd"),
        (
            DEEP,
            "is odd",
            ("a" * 63 + "…[3]" + f".{'b' * 60}" * 5)[:255] + "…",
            "is odd",
        ),
        # a message is bounded and clean
        (("a",), "x" * 512, "a", "x" * 512),
        (("a",), "x" * 513, "a", "x" * 511 + "…"),
        (("a",), "a\nb\u202e", "a", "ab"),
    ],
    ids=["none", "plain", "number", "key", "deep", "fits", "long", "odd"],
)
def test_a_fault_is_bounded(path, text, place, message):
    fault = problem("p.yaml", 2, path, text)
    assert fault == Problem("p.yaml", 2, place, message)
    at = f"{place}: " if place else ""
    assert str(fault) == f"p.yaml:2: {at}{message}"


@pytest.mark.parametrize("count", [1, 20, 21, 150])
def test_the_text_of_an_error_names_the_first_faults(count):
    faults = [
        problem("p.yaml", number + 1, ("mode",), f"is wrong {number}")
        for number in range(count)
    ]
    error = PolicyError([*reversed(faults), faults[0]])
    assert error.problems == tuple(faults)
    parts = str(error).split("; ")
    assert parts[:20] == [str(each) for each in faults[:20]]
    more = [f"and {count - 20} more"] if count > 20 else []
    assert parts[20:] == more
