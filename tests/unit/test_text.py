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


class Broken:
    """A value that cannot be written out."""

    def __str__(self):
        raise RuntimeError("broken")


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
        # text that is cut off is not read
        ("\n" * 4 * LIMIT + "a", ""),
        ("\n" * (4 * LIMIT - 1) + "a", "a"),
        (Broken(), "<Broken>"),
    ],
)
def test_clean(value, expected):
    assert clean(value) == expected


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        # it cannot be closed from within
        ("a' and 'b", 64, "'a` and `b'"),
        # its marks do not count
        ("a" * 9, 9, f"'{'a' * 9}'"),
        ("a" * 10, 9, f"'{'a' * 8}…'"),
    ],
)
def test_quote(text, limit, expected):
    assert quote(text, limit) == expected


@pytest.mark.parametrize(
    ("parts", "limit", "more", "expected"),
    [
        (["one", "two", "three"], 100, 0, "one; two; three"),
        (["one", "two", "three" * 5], 20, 0, "one; two; and 1 more"),
        (["one", "two", "three" * 5], 19, 0, "one; and 2 more"),
        (["ääää"], 5, 0, "ää"),
        ([], 5, 0, ""),
        (["one", "two"], 8, 0, "one; two"),
        (["one", "two"], 7, 0, "one"),
        (["one"], 3, 0, "one"),
        (["one"], 2, 0, "on"),
        (["äö", "ü"], 8, 0, "äö; ü"),
        (["äö", "ü"], 7, 0, "äö"),
        (["one", "two", "three" * 9], 20, 0, "one; two; and 1 more"),
        # what there is beside the parts
        (["one", "two"], 100, 7, "one; two; and 7 more"),
        (["one", "two"], 19, 7, "one; and 8 more"),
        # a part that would fit alone leaves room for the count
        (["one", "2"], 15, 1, "one; and 2 more"),
    ],
)
def test_what_fits_to_the_byte(parts, limit, more, expected):
    assert fit(parts, limit, more=more) == expected
    with_commas = fit(parts, limit, ", ", more)
    assert with_commas == expected.replace("; ", ", ")


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
        ("\n" * 400 + "a", 100, ""),
        ("\n" * 399 + "a", 100, "a"),
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
