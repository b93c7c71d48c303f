# SPDX-License-Identifier: Apache-2.0
"""Text from outside made safe, and texts that must fit."""

import pytest

from nova_vhard.common.text import (
    LIMIT,
    clean,
    fit,
    line,
    lines,
    quote,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("a\nb\tc\x00", "abc"),
        ("\u202eevil\u2066", "evil"),
        ("\u2028", ""),
        ("\ud800", ""),
        (7, "7"),
        (None, "None"),
        ("ü" * 64, "ü" * 64),
        ("ü" * 65, "ü" * 63 + "…"),
        ("\x00" * 100 + "x", "x"),
    ],
)
def test_clean(value, expected):
    assert clean(value) == expected


def test_a_quote_cannot_be_closed_from_within():
    assert quote("a' and 'b") == "'a` and `b'"


def test_a_quote_is_as_long_as_the_limit_without_its_marks():
    assert quote("a" * 9, 9) == f"'{'a' * 9}'"
    assert quote("a" * 10, 9) == f"'{'a' * 8}…'"


def test_fit():
    parts = ["one", "two", "three"]
    assert fit(parts, 100) == "one; two; three"
    parts = ["one", "two", "three" * 5]
    assert fit(parts, 20) == "one; two; and 1 more"
    assert fit(parts, 19) == "one; and 2 more"
    assert fit(["ääää"], 5) == "ää"
    assert fit([], 5) == ""


def test_fit_counts_what_there_is_beside_the_parts():
    assert fit(["one", "two"], 100, more=7) == "one; two; and 7 more"
    assert fit(["one", "two"], 19, more=7) == "one; and 8 more"
    # a part that would fit alone leaves room for the count
    assert fit(["one", "2"], 15, ", ", more=1) == "one, and 2 more"


@pytest.mark.parametrize(
    ("parts", "limit", "expected"),
    [
        (["one", "two"], 8, "one; two"),
        (["one", "two"], 7, "one"),
        (["one"], 3, "one"),
        (["one"], 2, "on"),
        (["äö", "ü"], 8, "äö; ü"),
        (["äö", "ü"], 7, "äö"),
        (["one", "two", "three" * 9], 20, "one; two; and 1 more"),
    ],
)
def test_what_fits_to_the_byte(parts, limit, expected):
    assert fit(parts, limit) == expected


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("x" * 9, 9, "x" * 9),
        ("x" * 10, 9, "x" * 6 + "…"),
        ("ä" * 4, 8, "ä" * 4),
        ("ä" * 5, 8, "ä" * 2 + "…"),
        ("a\n  b\x1b", 9, "a b"),
        # no more than four times the limit is looked at
        ("\n" * 35 + "x", 9, "x"),
        ("\n" * 36 + "x", 9, ""),
    ],
)
def test_a_line_is_as_long_as_the_limit(text, limit, expected):
    assert line(text, limit) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\nb", "a\nb"),
        ("a\x1b\nb\u2028\n", "a\nb\n"),
        ("x" * 10 + "\n" + "x" * 9, "x" * 6 + "…\n" + "x" * 9),
        (7, "7"),
        (ValueError("a\nb"), "a\nb"),
    ],
)
def test_each_line_of_a_text_is_a_line(value, expected):
    assert lines(value, 9) == expected


def test_of_what_is_cut_off_nothing_is_looked_at():
    assert clean("\n" * 4 * LIMIT + "a") == ""
    assert clean("\n" * (4 * LIMIT - 1) + "a") == "a"
    assert line("\n" * 400 + "a", 100) == ""
    assert line("\n" * 399 + "a", 100) == "a"


def test_a_quote_is_as_long_as_its_limit():
    assert quote("x" * 100, 5) == "'xxxx…'"


def test_a_value_that_cannot_be_written_out_has_a_kind():
    class Broken:
        def __str__(self):
            raise RuntimeError("broken")

    assert clean(Broken()) == "<Broken>"
