# SPDX-License-Identifier: Apache-2.0
"""Tests of the table that compares tempest's two runs."""

from typing import NamedTuple

from tests.tempest import table


class Result(NamedTuple):
    outcome: str
    text: str = ""


OK = Result("ok")
REFUSED = Result("failed", "Forbidden: … [guest_devices.rescue_bus]")
PLAIN = {"a": OK, "b": OK, "c": OK, "d": Result("failed"), "e": OK}
GATES = {"a": OK, "b": REFUSED, "c": Result("failed", "500"), "d": REFUSED}


def test_what_came_out_otherwise_and_by_which_rule():
    assert table.differences(PLAIN, GATES) == {
        "b": ["guest_devices.rescue_bus"],
        "c": [],
        "e": [],
    }


def test_the_table_counts_what_no_rule_says():
    text = table.table(PLAIN, GATES, "Tempest 1.")
    assert text.startswith(
        "Tempest 1. 5 tests: 4 ok, 1 failed, 0 skipped without the gates, "
        "1 ok, 3 failed, 0 skipped with them. 3 came out otherwise, 1 of them "
        "by a refusal that the policy means, 2 by another cause.\n"
    )
    assert "   * - ``e``\n     - ok\n     - not run\n     - no rule\n" in text
