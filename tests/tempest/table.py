# SPDX-License-Identifier: Apache-2.0
"""Both runs side by side, as a page has them."""

import re

from tests.list_table import list_table

#: What the gates answer to a tenant names the rule.
_REFUSAL = re.compile(r"(?:guest_devices|passthrough|hosts)\.[a-z_]+")


def outcome(results, test):
    return results[test].outcome if test in results else "not run"


def differences(plain, gates):
    """Return each test that came out otherwise, and why.

    :param plain: results without the gates, by test
    :param gates: results with them
    :returns: test to the rules that its failure names; empty for none
    """
    result = {}
    for test in sorted({*plain, *gates}):
        if outcome(plain, test) != outcome(gates, test):
            text = gates[test].text if test in gates else ""
            result[test] = sorted(set(_REFUSAL.findall(text)))
    return result


def table(plain, gates, about):
    """Return the page's part: counts, differences, every test.

    :param about: a sentence on what was run
    """
    cells = {
        test: (
            f"``{test.replace('tempest.api.', '')}``",
            outcome(plain, test),
            outcome(gates, test),
        )
        for test in sorted({*plain, *gates})
    }
    different = differences(plain, gates)
    refused = sum(map(bool, different.values()))
    otherwise = [
        (*cells[test], ", ".join(rules) or "no rule")
        for test, rules in different.items()
    ]
    head = ("Came out otherwise", "Without", "In enforce", "Refused by")
    parts = [
        f"{about} {len(cells)} tests: {_counts(plain)} without the gates, "
        f"{_counts(gates)} with them. {len(different)} came out otherwise, "
        f"{refused} of them by a refusal that the policy means, "
        f"{len(different) - refused} by another cause.\n",
        list_table([head, *otherwise]) if otherwise else "",
        list_table([("Test", "Without", "In enforce"), *cells.values()]),
    ]
    return "\n".join(parts)


def _counts(results):
    outcomes = [result.outcome for result in results.values()]
    return ", ".join(
        f"{outcomes.count(word)} {word}"
        for word in ("ok", "failed", "skipped")
    )
