# SPDX-License-Identifier: Apache-2.0
"""Text from outside made safe, and texts that must fit."""

import pytest

from nova_vhard.policy.text import clean, fit, quote


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
